/* Three days of scores of an outside detector: usual ones by the hour, and findings of two specs. */

const HOUR = 3600e3;
export const MODEL = 'outside-1', THRESHOLD = 5;
export const HOSTILE = 'host-<img src=x onerror=alert(1)>&amp;';
export const EGRESS = 60, PRINCIPALS = 14;
const HOURS = 72, USUAL_EACH_HOUR = 8;

const iso = (ms) => new Date(ms).toISOString();

/** Scores below the threshold, spread evenly over their range. */
function usual(now) {
  const out = [];
  for (let hour = 0; hour < HOURS; hour++)
    for (let i = 0; i < USUAL_EACH_HOUR; i++)
      out.push({
        entity: `i-0${(hour * 31 + i).toString(16).padStart(8, '0')}`, ip: `198.51.100.${(hour + i * 7) % 250}`,
        time: iso(now - hour * HOUR - i * 60e3), score: -8 + i * 1.4 + (hour % 5) * 0.2, percentile: i * 10, count: 1 + i,
      });
  return out;
}

export function principal(i) {
  return `arn:aws:sts::111122223333:assumed-role/deployment-role-of-a-team/session-${String(i).padStart(3, '0')}`;
}

/** Finding i of vpc-egress: the higher i, the rarer. */
export const egress = (i, now) => ({
  entity: i === 7 ? HOSTILE : `i-0fee${String(i % 20).padStart(4, '0')}`, ip: `203.0.113.${i}`, time: iso(now - (EGRESS - i) * 30 * 60e3),
  score: THRESHOLD + 0.5 + i / 20, percentile: 99 + i / (EGRESS + 1), account: '111122223333', region: 'eu-central-1',
});

const principals = (now) => Array.from({ length: PRINCIPALS }, (_, i) => ({
  entity: principal(i), ip: i % 2 ? `2001:db8:${i}::5` : `192.0.2.${i}`, time: iso(now - i * HOUR), score: THRESHOLD + 1, percentile: 98 + i / 100,
}));

export const batch = (spec, scores) => ({ model: MODEL, detector: 'fixture', threshold: THRESHOLD, spec, scores });

const LAKE = 'aws-security-data-lake-eu-central-1-example';
const KEY = (source, account, name) =>
  `aws/${source}/2.0/region=eu-central-1/accountId=${account}/eventDay=20260102/${name}.gz.parquet`;
export const BROKEN = KEY('WAF', '111122223333', 'broken');

/** Objects of two days: VPC_FLOW each hour but one, ROUTE53 now and then, one of WAF that cannot be read. */
async function objects(call, now) {
  const hour = Math.floor(now / HOUR) * HOUR;
  const post = (object, lines) => call.lines('/api/v1/scores?model=fixture-lake&detector=fixture&threshold=5&spec=dns-answer',
    [{ object }, ...lines]);
  for (let i = 1; i < 48; i++) {
    if (i === 30) continue;
    const line = { entity: 'i-0dns', ip: '198.51.100.7', time: iso(hour - i * HOUR + 5 * 60e3), score: 1 };
    for (const source of i % 3 ? ['VPC_FLOW'] : ['VPC_FLOW', 'ROUTE53'])
      await post({ bucket: LAKE, key: KEY(source, '111122223333', `h${i}`), etag: 'e1', size_bytes: 5000, rows: 10, pairs: 1, scored: 1,
        made: iso(now - (20 + i * i * 3) * 1000) }, [line]);
  }
  await post({ bucket: LAKE, key: BROKEN, etag: 'e2', size_bytes: 33,
    error: { code: 'corrupt', detail: 'the Parquet file is damaged: its footer has no magic number' } }, []);
}

export const notice = (name) => ({ source: 'aws.s3', time: iso(Date.now() - 90e3), region: 'eu-central-1',
  detail: { bucket: { name: LAKE }, object: { key: KEY('CLOUD_TRAIL_MGMT', '444455556666', name), size: 7, etag: '0'.repeat(32) } } });

/** @param call a client with the role ingest */
export async function load(call) {
  const now = Math.floor(Date.now() / 60e3) * 60e3 - 60e3;
  const findings = Array.from({ length: EGRESS }, (_, i) => egress(i, now));
  await call('POST', '/api/v1/scores', batch('vpc-egress', [...usual(now), ...findings]));
  await call('POST', '/api/v1/scores', batch('cloudtrail-principal', principals(now)));
  await objects(call, now);
  for (const name of ['a', 'b']) await call('POST', '/api/v1/notices', notice(name));
}
