// SageMaker's control plane and CloudWatch Logs. A training job runs our container for real: its channel comes from S3
// into a folder in place of /opt/ml, its output is the log, its model goes to S3 as a model.tar.gz. An endpoint runs
// it too, with that archive, and answers InvokeEndpoint.
import { execFileSync, spawn } from 'node:child_process';
import http from 'node:http';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBody } from './referee.mjs';

const NAME = /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/;
const ROLE = /^arn:aws:iam::\d{12}:role\/\S+$/;
const ARN = 'arn:aws:sagemaker:eu-west-1:123456789012';

function invalid(message) {
  return { code: 'ValidationException', message };
}

function split(uri) {
  const found = /^s3:\/\/([a-z0-9.-]+)\/(.*)$/.exec(uri ?? '');
  if (!found) throw invalid(`not an S3 location: ${uri}`);
  return { bucket: found[1], key: found[2] };
}

export class SageMaker {
  // s3: {put, get}
  constructor({ binary, s3 }) {
    Object.assign(this, { binary, s3, models: new Map(), configs: new Map(), endpoints: new Map(), jobs: new Map() });
    this.scratch = mkdtempSync(join(tmpdir(), 'pairwatch-sagemaker-'));
    process.on('exit', () => rmSync(this.scratch, { recursive: true, force: true }));
  }

  close() {
    for (const { server } of this.endpoints.values()) server?.kill();
    rmSync(this.scratch, { recursive: true, force: true });
  }

  make(map, kind, name, what) {
    if (!NAME.test(name)) throw invalid(`1 validation error detected: Value '${name}' failed to satisfy constraint`);
    if (map.has(name)) throw invalid(`Cannot create already existing ${kind} "${ARN}:${kind}/${name.toLowerCase()}".`);
    map.set(name, what);
    return `${ARN}:${kind}/${name.toLowerCase()}`;
  }

  find(map, kind, name) {
    if (!map.has(name)) throw invalid(`Could not find ${kind} "${ARN}:${kind}/${name.toLowerCase()}".`);
    return map.get(name);
  }

  async CreateModel(asked, faults) {
    if (!ROLE.test(asked.ExecutionRoleArn)) throw invalid('ExecutionRoleArn');
    const { bucket, key } = split(asked.PrimaryContainer.ModelDataUrl);
    if (!key.endsWith('.tar.gz')) throw invalid('ModelDataUrl must be a model.tar.gz');
    if (faults.sagemaker !== 'unchecked')
      await this.s3.get(bucket, key).catch(() => { throw invalid(`Could not access model data at ${asked.PrimaryContainer.ModelDataUrl}`); });
    return { ModelArn: this.make(this.models, 'model', asked.ModelName, asked) };
  }

  CreateEndpointConfig(asked) {
    for (const variant of asked.ProductionVariants) {
      this.find(this.models, 'model', variant.ModelName);
      if (!variant.ServerlessConfig && !(variant.InstanceType && variant.InitialInstanceCount >= 1)) throw invalid('ProductionVariants');
      if (variant.ServerlessConfig && variant.ServerlessConfig.MemorySizeInMB % 1024) throw invalid('MemorySizeInMB');
    }
    return { EndpointConfigArn: this.make(this.configs, 'endpoint-config', asked.EndpointConfigName, asked) };
  }

  CreateEndpoint(asked) {
    this.find(this.configs, 'endpoint-config', asked.EndpointConfigName);
    return { EndpointArn: this.make(this.endpoints, 'endpoint', asked.EndpointName, { asked, status: 'Creating', polls: 0 }) };
  }

  async start(name, endpoint) {
    const [variant] = this.configs.get(endpoint.asked.EndpointConfigName).ProductionVariants;
    const { bucket, key } = split(this.models.get(variant.ModelName).PrimaryContainer.ModelDataUrl);
    const folder = join(this.scratch, name, 'model');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'model.tar.gz'), await this.s3.get(bucket, key));
    execFileSync('tar', ['xzf', 'model.tar.gz'], { cwd: folder });
    endpoint.server = spawn(this.binary, ['serve', '--sagemaker', '--sagemaker-dir', join(this.scratch, name),
      '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'] });
    endpoint.port = await new Promise((done) => {
      endpoint.server.on('exit', () => done(0));
      endpoint.server.stdout.on('data', (line) => done(Number(/:(\d+)/.exec(String(line).split('//')[1])?.[1])));
    });
    endpoint.status = endpoint.port ? 'InService' : 'Failed';
    if (!endpoint.port) endpoint.reason = 'The primary container for production variant AllTraffic did not pass the ping health check.';
  }

  // faults.sagemaker: "fail", "slow", "unchecked" (what S3 holds), and see train()
  async DescribeEndpoint({ EndpointName: name }, faults) {
    const endpoint = this.find(this.endpoints, 'endpoint', name);
    if (endpoint.status === 'Creating' && endpoint.polls++ > 0 && faults.sagemaker !== 'slow') {
      if (faults.sagemaker === 'fail') Object.assign(endpoint, { status: 'Failed', reason: 'CapacityError: Unable to provision requested ML compute capacity.' });
      else await this.start(name, endpoint);
    }
    if (endpoint.status === 'Deleting' && endpoint.polls++ > 0) {
      this.endpoints.delete(name);
      this.find(this.endpoints, 'endpoint', name);
    }
    return { EndpointName: name, EndpointArn: `${ARN}:endpoint/${name}`, EndpointConfigName: endpoint.asked.EndpointConfigName,
      EndpointStatus: endpoint.status, CreationTime: 1790000000, LastModifiedTime: 1790000000,
      ...(endpoint.reason ? { FailureReason: endpoint.reason } : {}) };
  }

  DescribeEndpointConfig({ EndpointConfigName: name }) {
    const config = this.find(this.configs, 'endpoint-config', name);
    return { EndpointConfigName: name, EndpointConfigArn: `${ARN}:endpoint-config/${name}`, CreationTime: 1790000000,
      ProductionVariants: config.ProductionVariants };
  }

  DescribeModel({ ModelName: name }) {
    const { ExecutionRoleArn, PrimaryContainer } = this.find(this.models, 'model', name);
    return { ModelName: name, ExecutionRoleArn, PrimaryContainer, CreationTime: 1790000000, ModelArn: `${ARN}:model/${name}` };
  }

  DeleteEndpoint({ EndpointName: name }) {
    const endpoint = this.find(this.endpoints, 'endpoint', name);
    endpoint.server?.removeAllListeners('exit');
    endpoint.server?.kill();
    Object.assign(endpoint, { status: 'Deleting', polls: 0 });
  }

  DeleteEndpointConfig({ EndpointConfigName: name }) {
    this.find(this.configs, 'endpoint-config', name);
    for (const endpoint of this.endpoints.values())
      if (endpoint.asked.EndpointConfigName === name && endpoint.status !== 'Deleting') throw invalid('Cannot delete endpoint config: in use');
    this.configs.delete(name);
  }

  DeleteModel({ ModelName: name }) {
    this.find(this.models, 'model', name);
    this.models.delete(name);
  }

  async CreateTrainingJob(asked, faults) {
    const { bucket, key } = split(asked.InputDataConfig[0].DataSource.S3DataSource.S3Uri);
    if (faults.sagemaker !== 'unchecked')
      await this.s3.get(bucket, `${key}pairs.csv`).catch(() => { throw invalid(`No S3 objects found under S3 URL "s3://${bucket}/${key}" given in input data source.`); });
    if (!ROLE.test(asked.RoleArn)) throw invalid('RoleArn');
    for (const [name, value] of Object.entries(asked.HyperParameters ?? {}))
      if (typeof value !== 'string' || value.length > 2500) throw invalid(`HyperParameters.${name}`);
    this.make(this.jobs, 'training-job', asked.TrainingJobName, { asked, status: 'InProgress', stage: 'Starting', polls: 0, log: [] });
    return { TrainingJobArn: `${ARN}:training-job/${asked.TrainingJobName}` };
  }

  async train(name, job, faults) {
    const folder = join(this.scratch, name);
    const [channel] = job.asked.InputDataConfig;
    const { bucket, key } = split(channel.DataSource.S3DataSource.S3Uri);
    mkdirSync(join(folder, 'input', 'config'), { recursive: true });
    mkdirSync(join(folder, 'input', 'data', 'train'), { recursive: true });
    writeFileSync(join(folder, 'input', 'config', 'hyperparameters.json'), JSON.stringify(job.asked.HyperParameters));
    writeFileSync(join(folder, 'input', 'data', 'train', 'pairs.csv'), await this.s3.get(bucket, `${key}pairs.csv`));
    let failed = false;
    try {
      job.log = String(execFileSync(this.binary, ['train', '--sagemaker', '--sagemaker-dir', folder], { stdio: 'pipe' })).trim().split('\n');
    } catch {
      failed = true;
    }
    if (failed) {
      const reason = join(folder, 'output', 'failure');
      Object.assign(job, { status: 'Failed', stage: 'Failed', reason: `AlgorithmError: ${existsSync(reason) ? readFileSync(reason, 'utf8') : '?'}` });
      return;
    }
    const file = faults.sagemaker === 'built-in' ? 'model_algo-1' : 'pairwatch.model';
    if (faults.sagemaker === 'built-in') writeFileSync(join(folder, 'model', file), 'MXNet');
    if (faults.sagemaker === 'damaged') writeFileSync(join(folder, 'model', file), 'not a model');
    execFileSync('tar', ['czf', '../model.tar.gz', file], { cwd: join(folder, 'model') });
    const out = split(`${job.asked.OutputDataConfig.S3OutputPath.replace(/\/$/, '')}/${name}/output/model.tar.gz`);
    let bytes = readFileSync(join(folder, 'model.tar.gz'));
    if (faults.sagemaker === 'cut') bytes = bytes.subarray(0, bytes.length / 2);
    await this.s3.put(out.bucket, out.key, bytes);
    Object.assign(job, { status: 'Completed', stage: 'Completed', artefact: `s3://${out.bucket}/${out.key}` });
  }

  async DescribeTrainingJob({ TrainingJobName: name }, faults) {
    if (!this.jobs.has(name)) throw invalid('Requested resource not found.');
    const job = this.jobs.get(name);
    job.polls++;
    if (job.status === 'InProgress' && job.polls === 2) job.stage = 'Training';
    else if (job.status === 'InProgress' && job.polls > 2 && faults.sagemaker === 'fail')
      Object.assign(job, { status: 'Failed', stage: 'Failed', reason: 'CapacityError: Unable to provision requested ML compute capacity.' });
    else if (job.status === 'InProgress' && job.polls > 2 && faults.sagemaker !== 'slow') await this.train(name, job, faults);
    return { TrainingJobName: name, TrainingJobArn: `${ARN}:training-job/${name}`, TrainingJobStatus: job.status,
      SecondaryStatus: job.stage, AlgorithmSpecification: job.asked.AlgorithmSpecification, ResourceConfig: job.asked.ResourceConfig,
      StoppingCondition: job.asked.StoppingCondition, CreationTime: 1790000000.5, BillableTimeInSeconds: 61,
      ModelArtifacts: { S3ModelArtifacts: job.artefact ?? `${job.asked.OutputDataConfig.S3OutputPath}none` },
      ...(job.reason ? { FailureReason: job.reason } : {}) };
  }

  StopTrainingJob({ TrainingJobName: name }) {
    const job = this.jobs.get(name);
    if (!job) throw invalid('Requested resource not found.');
    Object.assign(job, { status: 'Stopping', stage: 'Stopping' });
  }

  // POST /endpoints/NAME/invocations
  invoke(request, body, response) {
    const name = decodeURIComponent(request.url.split('/')[2]);
    const endpoint = this.endpoints.get(name);
    const fail = (message) => {
      const text = JSON.stringify({ Message: message });
      response.writeHead(400, { 'x-amzn-ErrorType': 'ValidationError', 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
      response.end(text);
    };
    if (endpoint?.status !== 'InService') return fail(`Endpoint ${name} of account 123456789012 not found.`);
    const out = http.request({ host: '127.0.0.1', port: endpoint.port, method: 'POST', path: request.url,
      headers: { 'Content-Type': request.headers['content-type'], Accept: request.headers.accept, 'Content-Length': body.length } },
    async (reply) => {
      const text = await readBody(reply);
      response.writeHead(reply.statusCode, reply.headers);
      response.end(text);
    });
    out.end(body);
  }
}

const GROUP = '/aws/sagemaker/TrainingJobs';
const PAGE = 3;

export class Logs {
  constructor(sagemaker) {
    this.jobs = sagemaker.jobs;
  }

  started() {
    return [...this.jobs].filter(([, job]) => job.log.length > 0);
  }

  DescribeLogStreams({ logGroupName, logStreamNamePrefix, limit }) {
    if (logGroupName !== GROUP || this.started().length === 0)
      throw { code: 'ResourceNotFoundException', message: 'The specified log group does not exist.' };
    const names = this.started().map(([name]) => `${name}/algo-1-1790000000`).filter((name) => name.startsWith(logStreamNamePrefix));
    return { logStreams: names.slice(0, limit).map((logStreamName) => ({ logStreamName })) };
  }

  GetLogEvents({ logStreamName, nextToken, limit }) {
    const job = this.jobs.get(logStreamName.split('/')[0]);
    if (!job) throw { code: 'ResourceNotFoundException', message: 'The specified log stream does not exist.' };
    const from = nextToken ? Number(nextToken.replace('f/', '')) : 0;
    const lines = job.log.slice(from, from + Math.min(PAGE, limit));
    return { events: lines.map((message, i) => ({ timestamp: 1790000000000 + from + i, message, ingestionTime: 1790000000000 })),
      nextForwardToken: `f/${from + lines.length}`, nextBackwardToken: `b/${from}` };
  }
}
