/** Reading the contract: references, types in words, an example call. Pure. */

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** Follows a reference within the document; anything else is itself. */
export function resolved(doc, node) {
  if (!node?.$ref) return node;
  return node.$ref.slice(2).split('/').reduce((at, name) => at?.[name.replaceAll('~1', '/').replaceAll('~0', '~')], doc);
}

/** The name a schema is known by, or null. */
export const nameOf = (schema) => schema?.$ref?.split('/').at(-1) ?? null;

/** @returns {{tag, description, operations: {id, method, path, role, operation}[]}[]} in the document's order */
export function chapters(doc) {
  const all = Object.entries(doc.paths).flatMap(([path, item]) => METHODS.filter((m) => item[m]).map((method) => ({
    id: item[method].operationId, method: method.toUpperCase(), path, role: item[method]['x-role'], operation: item[method],
  })));
  return doc.tags.map(({ name, description }) => ({
    tag: name, description, operations: all.filter(({ operation }) => operation.tags?.includes(name)),
  }));
}

/** @returns {{statuses: string[], description, content}[]} those of the same kind as one */
export function answers(doc, responses) {
  const out = [];
  for (const [status, response] of Object.entries(responses ?? {})) {
    const same = response.$ref && out.find(({ ref }) => ref === response.$ref);
    if (same) same.statuses.push(status);
    else out.push({ ref: response.$ref, statuses: [status], ...resolved(doc, response) });
  }
  return out;
}

function bounds(schema) {
  const between = (low, high, unit) => (low != null || high != null ? `${low ?? ''}…${high ?? ''}${unit}` : null);
  return [between(schema.minimum, schema.maximum, ''), between(schema.minLength, schema.maxLength, ' characters'),
    between(schema.minItems, schema.maxItems, ' items')].filter(Boolean);
}

/** "integer 1…500", "one of new, resolved", "Finding", "list of Score" */
export function typeText(schema) {
  if (!schema) return '';
  const name = nameOf(schema);
  if (name) return name;
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.map(typeText).join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return `one of ${schema.enum.map((v) => v ?? 'null').join(', ')}`;
  const types = [schema.type].flat().filter(Boolean);
  if (types.includes('array')) return ['list of', typeText(schema.items), ...bounds(schema)].join(' ');
  return [types.join(' or ') || 'anything', schema.format && `(${schema.format})`, ...bounds(schema)].filter(Boolean).join(' ');
}

/** Members of an object's schema, those of its parts included. */
export function members(doc, schema) {
  const whole = resolved(doc, schema);
  if (!whole) return [];
  const inherited = (whole.allOf ?? []).flatMap((part) => members(doc, part));
  const required = new Set(whole.required ?? []);
  return [...inherited, ...Object.entries(whole.properties ?? {}).map(([name, member]) => ({
    name, type: typeText(member), required: required.has(name), description: member.description ?? '', schema: member,
  }))];
}

/** Names of schemas that are worth a place of their own: those with members or choices. */
export function schemaNames(doc) {
  return Object.entries(doc.components?.schemas ?? {}).map(([name]) => name).sort();
}

/** For a shell: nothing in it is read by the shell. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
/** Where a session is read or changed, a browser's cookie is meant, not a token. */
const bySession = (path) => path.startsWith('/api/v1/session');

/** A call that can be pasted; {names} in the path become capitals to replace, and braces nothing to curl. */
export function curl({ method, path, operation, role }, origin) {
  const [type, body] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const address = path.replace(/\{(\w+)\}/g, (_, name) => name.toUpperCase());
  const lines = [`curl ${method === 'GET' ? '' : `-X ${method} `}${quoted(origin + address)}`];
  if (bySession(path)) lines.push(method === 'POST' ? '-c cookies' : '-b cookies');
  else if (role !== 'none') lines.push("-H \"Authorization: Bearer $TOKEN\"");
  if (bySession(path) && !['GET', 'POST'].includes(method)) lines.push('-H "X-CSRF-Token: $CSRF_TOKEN"');
  if ((operation.parameters ?? []).some((p) => nameOf(p) === 'IfMatch')) lines.push(`-H ${quoted('If-Match: "v7"')}`);
  if (type) lines.push(`-H ${quoted(`Content-Type: ${type}`)}`, body.example ? `-d ${quoted(JSON.stringify(body.example))}` : '-d @body.json');
  return lines.join(' \\\n  ');
}
