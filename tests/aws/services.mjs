// One emulator that keeps what it was told in a folder, so that it may be killed and started again:
//     services.mjs fauxqs PORT FOLDER       SQS and S3
//     services.mjs local-aws-sqs PORT       SQS with AWS's stricter errors, in memory
// Prints its port when it answers.
import net from 'node:net';
import { startFauxqs } from 'fauxqs';
import sqs from 'local-aws-sqs';

const [kind, port, folder] = process.argv.slice(2);
const listen = net.Server.prototype.listen;

// fauxqs keeps its state only when it listens by itself, and then on every address.
net.Server.prototype.listen = function onLoopback(options, ...rest) {
  return listen.call(this, { port: options.port ?? options, host: '127.0.0.1' }, ...rest.filter((each) => typeof each === 'function'));
};

async function start() {
  if (kind === 'fauxqs')
    return (await startFauxqs({ port: Number(port), logger: false, defaultRegion: 'eu-west-1', dataDir: folder })).port;
  const server = await sqs.createSqsServer({ port: Number(port), hostname: '127.0.0.1', region: 'eu-west-1',
    accountId: '000000000000', emulateQueueCreationLifecycle: false });
  return server.address().port;
}

console.log(await start());
process.on('SIGTERM', () => process.exit(0));
