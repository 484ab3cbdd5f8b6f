// Requests and answers held against the shapes that AWS's own clients are generated from.
import { NormalizedSchema } from '@smithy/core/schema';

function kindOf(value) {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}

function want(kind, value, path) {
  return kindOf(value) === kind ? [] : [`${path} is ${kindOf(value)}, not ${kind}`];
}

function structFaults(shape, value, path) {
  const members = new Map(shape.structIterator());
  const required = [...members.keys()].slice(0, shape.getSchema()[6] ?? 0);
  const faults = required.filter((name) => !(name in value)).map((name) => `${path}.${name} is missing`);
  for (const [name, item] of Object.entries(value))
    faults.push(...(members.has(name) ? shapeFaults(members.get(name), item, `${path}.${name}`)
      : [`${path}.${name} is unknown`]));
  return faults;
}

// What is wrong with a value in the JSON protocols, one sentence each.
export function shapeFaults(schema, value, path = '$') {
  const shape = NormalizedSchema.of(schema);
  if (shape.isStructSchema()) return kindOf(value) === 'object' ? structFaults(shape, value, path) : want('object', value, path);
  if (shape.isListSchema())
    return kindOf(value) !== 'list' ? want('list', value, path)
      : value.flatMap((item, i) => shapeFaults(shape.getValueSchema(), item, `${path}[${i}]`));
  if (shape.isMapSchema())
    return kindOf(value) !== 'object' ? want('object', value, path)
      : Object.entries(value).flatMap(([name, item]) => shapeFaults(shape.getValueSchema(), item, `${path}.${name}`));
  if (shape.isStringSchema()) return want('string', value, path);
  if (shape.isBooleanSchema()) return want('boolean', value, path);
  return want('number', value, path); // numbers, and times as seconds
}
