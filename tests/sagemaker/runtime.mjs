// AWS's own client of the SageMaker runtime gets the documented answers from serve --sagemaker, and its ModelError
// for a body that is wrong. Prints "N passed, M failed".
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import {
    InvokeEndpointCommand,
    InvokeEndpointWithResponseStreamCommand,
    ModelError,
    SageMakerRuntimeClient,
} from "@aws-sdk/client-sagemaker-runtime";

const binary = resolve(process.env.PAIRWATCH_BINARY ?? "build/release/pairwatch");
const folder = mkdtempSync(join(tmpdir(), "pairwatch-runtime-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const model = join(folder, "m");
const pairs = join(folder, "pairs.csv");
const ROWS = [["entity_id_1", "192.168.1.2"], ["entity_id_2", "10.10.1.2"]];

function train() {
    let text = "";
    for (let i = 0; i < 2000; i++) text += `entity_id_${1 + (i % 2)},${i % 2 ? "10.10.1" : "192.168.1"}.${i % 200}\n`;
    writeFileSync(pairs, text);
    execFileSync(binary, ["train", "--out", model, "--detector", "ip_insights", "--vector-dim", "16", pairs]);
}

function start() {
    const server = spawn(binary, ["serve", "--sagemaker", "--model", model, "--listen", "127.0.0.1:0"], {
        stdio: ["ignore", "pipe", "ignore"],
    });
    return new Promise((done, fail) => {
        server.on("exit", () => fail(new Error("serve did not start")));
        server.stdout.on("data", (line) => done({ server, address: `${line}`.match(/http:\S+/)[0] }));
    });
}

const text = (bytes) => new TextDecoder().decode(bytes);
let client;
async function invoke(body, contentType, accept) {
    const reply = await client.send(
        new InvokeEndpointCommand({ EndpointName: "ip-insights", Body: body, ContentType: contentType, Accept: accept }),
    );
    return { type: reply.ContentType, body: text(reply.Body), variant: reply.InvokedProductionVariant };
}

const csv = ROWS.map((row) => row.join(", ")).join("\n");
const instances = [{ data: { features: { values: ROWS[0] } } }, { features: ROWS[1] }];
const forms = [
    ["text/csv", csv],
    ["application/json", JSON.stringify({ instances })],
    ["application/jsonlines", instances.map((one) => JSON.stringify(one)).join("\n")],
];

const tests = {
    async "plain JSON in every form of request"() {
        for (const [type, body] of forms) {
            const reply = await invoke(body, type, "application/json");
            assert.equal(reply.type, "application/json");
            assert.match(reply.body, /^\{"predictions": \[\{"dot_product": -?\d[\d.e-]*\}, \{"dot_product": -?\d[\d.e-]*\}\]\}$/);
            assert.equal(reply.body, (await invoke(csv, "text/csv")).body);
            assert.equal(reply.variant, "AllTraffic");
        }
    },
    async "JSON Lines"() {
        for (const [type, body] of forms) {
            const reply = await invoke(body, type, "application/jsonlines");
            assert.equal(reply.type, "application/jsonlines");
            assert.match(reply.body, /^(\{"dot_product": -?\d[\d.e-]*\}\n){2}$/);
        }
    },
    async "verbose, as JSON and as JSON Lines"() {
        const { predictions } = JSON.parse((await invoke(csv, "text/csv", "application/json;verbose=True")).body);
        const lines = (await invoke(csv, "text/csv", "application/jsonlines;verbose=true")).body.trim().split("\n");
        assert.deepEqual(lines.map((line) => JSON.parse(line)), predictions);
        for (const one of predictions) {
            assert.deepEqual(Object.keys(one), ["dot_product", "ip_embedding", "entity_embedding"]);
            const inner = one.ip_embedding.reduce((sum, x, i) => sum + x * one.entity_embedding[i], 0);
            assert.ok(Math.abs(inner - one.dot_product) < 1e-4);
        }
    },
    async "a wrong row is a ModelError with the container's sentence"() {
        const wrong = await invoke("a,1.2.3.4\nb,1.2.3.4, 5.6.7.8\n", "text/csv").catch((error) => error);
        assert.ok(wrong instanceof ModelError, `${wrong}`);
        assert.equal(wrong.OriginalStatusCode, 400);
        assert.equal(wrong.OriginalMessage, "row 2, column 12: more than two fields: entity,ip");
        assert.match(wrong.message, /^Received client error \(400\) from primary with message "row 2/);
    },
    async "a content type we do not read is a ModelError with 415"() {
        const wrong = await invoke("a,1.2.3.4\n", "application/x-recordio-protobuf").catch((error) => error);
        assert.ok(wrong instanceof ModelError, `${wrong}`);
        assert.equal(wrong.OriginalStatusCode, 415);
    },
    async "100,000 rows in one request"() {
        const row = "entity_id_1,192.168.1.2\n";
        const body = (await invoke(row.repeat(100000), "text/csv", "application/jsonlines")).body;
        assert.equal(body, (await invoke(row, "text/csv", "application/jsonlines")).body.repeat(100000));
    },
    async "a streamed answer is not offered, and said so"() {
        const command = new InvokeEndpointWithResponseStreamCommand({ EndpointName: "x", Body: csv, ContentType: "text/csv" });
        const wrong = await client.send(command).catch((error) => error);
        assert.equal(wrong.$metadata?.httpStatusCode, 404, `${wrong}`);
    },
};

let passed = 0, failed = 0, running;
try {
    train();
    running = await start();
    client = new SageMakerRuntimeClient({
        endpoint: running.address,
        region: "us-east-1",
        credentials: { accessKeyId: "any", secretAccessKey: "any" },
        maxAttempts: 1,
    });
    for (const [name, test] of Object.entries(tests)) {
        try {
            await test();
            passed++;
            console.log(`ok - ${name}`);
        } catch (error) {
            failed++;
            console.log(`not ok - ${name}\n${error.stack}`);
        }
    }
} finally {
    client?.destroy();
    running?.server.removeAllListeners("exit");
    running?.server.kill();
    rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
