// The CloudFormation templates of deploy/: read by a parser that nobody here wrote, every resource held against the
// specification that AWS publishes, every permission against what the program asks for.
//
//   node tests/templates.mjs      PAIRWATCH_BINARY names the program
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { isMap, isScalar, isSeq, parseDocument } from "yaml";

const require = createRequire(import.meta.url);
const { transmute } = require("cdk-from-cfn");
const specification = require("@aws-cdk/cfnspec/spec/specification.json");
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const binary = process.env.PAIRWATCH_BINARY ?? path.join(root, "build/release/pairwatch");
const read = (name) => readFileSync(path.join(root, name), "utf8");

// ---- reading: !Ref x is {"Ref": x}, !Sub x {"Fn::Sub": x} ----
const FUNCTIONS = ["And", "Equals", "GetAtt", "If", "Join", "Not", "Or", "Select", "Split", "Sub"];

function valueOf(node) {
  let value = null;
  if (isMap(node)) value = Object.fromEntries(node.items.map(({ key, value: each }) => [key.value, valueOf(each)]));
  else if (isSeq(node)) value = node.items.map(valueOf);
  else if (isScalar(node)) value = node.value;
  if (!node?.tag?.startsWith("!")) return value;
  const name = node.tag.slice(1);
  assert.ok(name === "Ref" || FUNCTIONS.includes(name), node.tag);
  if (name === "GetAtt" && typeof value === "string") value = value.split(".");
  return { [name === "Ref" ? name : `Fn::${name}`]: value };
}

function parseTemplate(text) {
  const document = parseDocument(text, { uniqueKeys: true, strict: true, logLevel: "error" });
  assert.deepEqual(document.errors, []);
  assert.deepEqual(document.warnings.filter(({ code }) => code !== "TAG_RESOLVE_FAILED"), []);
  return valueOf(document.contents);
}

// ---- checking against the specification ----
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function functionOf(value) {
  const keys = isObject(value) ? Object.keys(value) : [];
  return keys.length === 1 && (keys[0] === "Ref" || keys[0].startsWith("Fn::")) ? keys[0] : undefined;
}

// What the value may become: both branches of an If, nothing for NoValue.
function* branches(value) {
  if (functionOf(value) === "Fn::If") {
    yield* branches(value["Fn::If"][1]);
    yield* branches(value["Fn::If"][2]);
  } else if (value?.Ref !== "AWS::NoValue") {
    yield value;
  }
}

const PRIMITIVES = {
  String: (value) => ["string", "number"].includes(typeof value),
  Integer: (value) => Number.isInteger(value) || /^\d+$/.test(value),
  Long: (value) => Number.isInteger(value),
  Double: (value) => typeof value === "number",
  Boolean: (value) => typeof value === "boolean",
  Json: isObject,
  Map: isObject,
  Timestamp: (value) => typeof value === "string",
};

function checkOne(value, resource, { PrimitiveType, Type }, where) {
  if (PrimitiveType) {
    if (!functionOf(value)) assert.ok(PRIMITIVES[PrimitiveType](value), `${where}: is no ${PrimitiveType}`);
    return;
  }
  if (functionOf(value)) return;
  const properties = specification.PropertyTypes[`${resource}.${Type}`] ?? specification.PropertyTypes[Type];
  assert.ok(properties, `${where}: the specification lacks ${Type}`);
  checkProperties(value, resource, properties.Properties, where);
}

function checkValue(value, resource, rule, where) {
  for (const each of branches(value)) {
    const item = { PrimitiveType: rule.PrimitiveItemType, Type: rule.ItemType };
    const types = [rule.PrimitiveTypes, rule.Types].flat().filter(Boolean);
    if (types.length > 0) continue; // of SAM: one of several
    if (rule.Type === "List" && !functionOf(each)) {
      assert.ok(Array.isArray(each), `${where}: is no list`);
      each.forEach((entry, i) => { for (const one of branches(entry)) checkOne(one, resource, item, `${where}[${i}]`); });
    } else if (rule.Type === "Map" && !functionOf(each)) {
      for (const [key, entry] of Object.entries(each)) checkValue(entry, resource, item, `${where}.${key}`);
    } else if (rule.Type !== "List" && rule.Type !== "Map") {
      checkOne(each, resource, rule, where);
    }
  }
}

function checkProperties(value, resource, rules, where) {
  assert.ok(isObject(value), `${where}: is no object`);
  for (const name of Object.keys(value)) {
    assert.ok(rules[name], `${where}: ${name} is not known there`);
    checkValue(value[name], resource, rules[name], `${where}.${name}`);
  }
  for (const [name, rule] of Object.entries(rules))
    assert.ok(!rule.Required || name in value, `${where}: ${name} is missing`);
}

function checkResources(template) {
  for (const [name, resource] of Object.entries(template.Resources)) {
    const rules = specification.ResourceTypes[resource.Type];
    assert.ok(rules, `${name}: there is no ${resource.Type}`);
    checkProperties(resource.Properties ?? {}, resource.Type, rules.Properties, name);
  }
}

// ---- names ----
function* walk(value) {
  yield value;
  if (value && typeof value === "object") for (const each of Object.values(value)) yield* walk(each);
}

function used(template) {
  const names = { refs: new Set(), attributes: [], conditions: new Set() };
  for (const value of walk(template)) {
    if (value?.Ref && functionOf(value)) names.refs.add(value.Ref);
    if (value?.["Fn::GetAtt"]) names.attributes.push(value["Fn::GetAtt"]);
    if (value?.["Fn::If"]) names.conditions.add(value["Fn::If"][0]);
    for (const [, name] of (value?.["Fn::Sub"] ?? "").matchAll(/\$\{([^}]+)\}/g))
      if (name.includes(".")) names.attributes.push(name.split("."));
      else names.refs.add(name);
  }
  for (const resource of Object.values(template.Resources)) {
    if (resource.Condition) names.conditions.add(resource.Condition);
    [resource.DependsOn ?? []].flat().forEach((name) => assert.ok(template.Resources[name], name));
  }
  return names;
}

function checkNames(template) {
  const { refs, attributes, conditions } = used(template);
  const parameters = Object.keys(template.Parameters);
  for (const name of refs)
    assert.ok(name.startsWith("AWS::") || parameters.includes(name) || template.Resources[name], `${name} is not there`);
  for (const name of parameters) assert.ok(refs.has(name), `the parameter ${name} is not used`);
  assert.deepEqual([...conditions].sort(), Object.keys(template.Conditions).sort());
  for (const [name, attribute] of attributes) {
    const { Type } = template.Resources[name];
    assert.ok(attribute in (specification.ResourceTypes[Type].Attributes ?? {}) || Type === "AWS::Serverless::Function",
      `${name} has no ${attribute}`);
  }
}

function checkParameters(template) {
  for (const [name, { Default, AllowedPattern, AllowedValues, Description, MinValue, MaxValue }] of
    Object.entries(template.Parameters)) {
    if (AllowedPattern && Default !== undefined) assert.match(String(Default), new RegExp(AllowedPattern), name);
    if (AllowedValues && Default !== undefined) assert.ok(AllowedValues.includes(Default), name);
    if (MinValue) assert.ok(Default >= MinValue && Default <= (MaxValue ?? Infinity), name);
    assert.ok(Description || /Tasks$/.test(name), `${name} says nothing`);
  }
}

// ---- permissions ----
function statementsOf(template, role) {
  const [policy] = template.Resources[role].Properties.Policies;
  return policy.PolicyDocument.Statement.flatMap((statement) => [...branches(statement)]);
}
const actionsOf = (statements) => [...new Set(statements.flatMap(({ Action }) => Action))].sort();

function checkPolicies(template) {
  for (const [name, { Type }] of Object.entries(template.Resources)) {
    if (Type !== "AWS::IAM::Role") continue;
    for (const { Sid, Action, Resource } of statementsOf(template, name)) {
      for (const action of [Action].flat()) assert.match(action, /^[a-z0-9]+:[A-Za-z]+$/, `${name} ${Sid}`);
      assert.ok(Resource !== "*" || ["Network", "SignIn"].includes(Sid), `${name} ${Sid} may do it to everything`);
    }
  }
}

// Every permission that `pairwatch check aws` tries is one the program needs, and the other way round.
const needed = [...new Set([...read("server/command/check_aws_work.c").matchAll(/(?<=")(sqs|s3|sagemaker):[A-Z][A-Za-z]+(?=")/g),
  ...read("server/command/check_aws.c").matchAll(/(?<=")(kms|sts):[A-Z][A-Za-z]+(?=")/g)].map(([action]) => action))].sort();

function variablesOf(command) {
  const help = execFileSync(binary, [command, "--help"], { encoding: "utf8" });
  const flags = [...help.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) => `PAIRWATCH_${name.toUpperCase().replaceAll("-", "_")}`);
  return new Set([...flags, ...[...help.matchAll(/^ {2}(PAIRWATCH_[A-Z_]+)/gm)].map(([, name]) => name)]);
}

function checkVariables(template, command) {
  const known = variablesOf(command);
  const names = [...walk(template)].flatMap((value) =>
    isObject(value) ? [...Object.keys(value), value.Name] : []).filter((name) => String(name).startsWith("PAIRWATCH_"));
  assert.ok(names.length > 4);
  for (const name of names) assert.ok(known.has(name), `${name} is no setting of ${command}`);
}

const sam = parseTemplate(read("deploy/sam/template.yaml"));
const ecs = parseTemplate(read("deploy/ecs/template.yaml"));

// A linter that finds nothing proves nothing: each of these is to be refused.
const BROKEN = [
  ["ReadonlyRootFilesystem", "ReadonlyRoot"], ["AWS::ECS::Cluster", "AWS::ECS::Clusters"], ["!Ref LogDays", "!Ref LogWeeks"],
  ["!GetAtt Log.Arn", "!GetAtt Log.Name"], ["MinCapacity: !Ref MinimumTasks", "MinCapacity: few"], ["- HasLakeKey", "- HasLakeKeys"],
  ["Essential: true", "Essential: yes-it-is"], ["      PolicyType: StepScaling\n", ""], ["s3:GetObject", "s3:*"],
  ["Resource: !Ref SQSQueueARN", "Resource: '*'"], ["RequiresCompatibilities: [FARGATE]", "RequiresCompatibilities: FARGATE"],
  ["Default: X86_64", "Default: x86"],
];

function checkAll(text) {
  const template = parseTemplate(text);
  for (const check of [checkResources, checkNames, checkParameters, checkPolicies]) check(template);
}

const tests = {
  "an independent parser reads them"() {
    for (const name of ["sam", "ecs"])
      assert.ok(transmute(read(`deploy/${name}/template.yaml`), "typescript", "Stack", "stack").length > 1000);
  },
  "resources are as AWS specifies them"() { [sam, ecs].forEach(checkResources); },
  "every name is there and every parameter used"() { [sam, ecs].forEach(checkNames); },
  "defaults are allowed"() { [sam, ecs].forEach(checkParameters); },
  "what is wrong is found"() {
    const text = read("deploy/ecs/template.yaml");
    for (const [good, bad] of BROKEN) {
      assert.ok(text.includes(good), good);
      assert.throws(() => checkAll(text.replace(good, bad)), assert.AssertionError, bad);
    }
  },
  "no role may do more than it must"() { [sam, ecs].forEach(checkPolicies); },
  "a worker may do what the program asks for"() {
    assert.ok(needed.length > 7);
    assert.deepEqual(actionsOf(statementsOf(ecs, "WorkerRole")), needed);
  },
  "a function may do what is left when Lambda keeps the messages"() {
    const own = actionsOf(statementsOf(sam, "FunctionRole")).filter((action) => !/^(logs|ec2):/.test(action));
    assert.deepEqual(own, needed.filter((action) => !["sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"].includes(action)));
  },
  "what they set are settings"() {
    checkVariables(sam, "lambda");
    checkVariables(ecs, "work");
    const { Command } = ecs.Resources.Task.Properties.ContainerDefinitions[0];
    const known = variablesOf(Command[0]);
    for (const flag of Command.filter((word) => String(word).startsWith("--")))
      assert.ok(known.has(`PAIRWATCH_${flag.slice(2).toUpperCase().replaceAll("-", "_")}`), flag);
  },
  "an endpoint's calibration travels with the function when there is no database"() {
    const { Variables } = sam.Resources.Function.Properties.Environment;
    assert.deepEqual(Variables.PAIRWATCH_CALIBRATION["Fn::If"].slice(0, 2), ["PostsRemoteScores", "/var/task/calibration.json"]);
    const [posts, remote] = sam.Conditions.PostsRemoteScores["Fn::And"];
    assert.deepEqual([posts, remote], [sam.Conditions.Posts, sam.Conditions.ScoresRemotely]);
    assert.match(read("deploy/lambda/build"), /cp "\$calibration" \$root\/calibration\.json/);
    for (const { Assertions } of Object.values(sam.Rules))
      assert.ok(!JSON.stringify(Assertions).includes("SageMakerEndpoint"), "an endpoint needs no more than a model");
  },
  "the workshop's parameters are there, and failures are reported by message"() {
    for (const name of ["SQSQueueARN", "SageMakerEndpoint"]) assert.equal(sam.Parameters[name].Type, "String");
    assert.deepEqual(sam.Resources.Queue.Properties.FunctionResponseTypes, ["ReportBatchItemFailures"]);
    assert.deepEqual(sam.Parameters.Architecture.AllowedValues, ["x86_64", "arm64"]);
  },
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    test();
  } catch (error) {
    failed++;
    console.error(`FAILED ${name}\n${error.stack}`);
  }
}
console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
