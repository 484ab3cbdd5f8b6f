// Athena over a folder that is laid out as Security Lake's bucket: each source and version a table, queries run by
// DuckDB, results left in S3 with a manifest. What it takes is one UNLOAD of one SELECT.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const UNLOAD = /^UNLOAD \((SELECT .*)\) TO '(s3:\/\/([a-z0-9.-]+)\/([^']*\/))' WITH \(format = 'PARQUET', compression = 'SNAPPY'\)$/s;
const TYPES = { VARCHAR: 'string', BIGINT: 'bigint', INTEGER: 'int', SMALLINT: 'smallint', TINYINT: 'tinyint',
  BOOLEAN: 'boolean', DOUBLE: 'double', FLOAT: 'float', TIMESTAMP: 'timestamp', DATE: 'date' };

// "STRUCT(ip VARCHAR, "type" INTEGER)[]" is array<struct<ip:string,type:int>> in Glue.
function hive(type) {
  type = type.trim();
  if (type.endsWith('[]')) return `array<${hive(type.slice(0, -2))}>`;
  const inner = /^(STRUCT|MAP)\((.*)\)$/s.exec(type);
  if (!inner) return TYPES[type.replace(/ WITH TIME ZONE$/, '')] ?? 'string';
  const pieces = [];
  let depth = 0, from = 0;
  for (let i = 0; i <= inner[2].length; i++) {
    const c = inner[2][i];
    if (c === '(') depth++;
    if (c === ')') depth--;
    if ((c === ',' && depth === 0) || c === undefined) {
      pieces.push(inner[2].slice(from, i).trim());
      from = i + 1;
    }
  }
  if (inner[1] === 'MAP') return `map<${pieces.map(hive).join(',')}>`;
  return `struct<${pieces.map((piece) => {
    const [, quoted, plain, rest] = /^(?:"([^"]+)"|(\S+))\s+(.*)$/s.exec(piece);
    return `${quoted ?? plain}:${hive(rest)}`;
  }).join(',')}>`;
}

export class Athena {
  // s3: {put(bucket, key, bytes)}
  constructor({ lake, sql, region, s3 }) {
    Object.assign(this, { lake, sql, s3, queries: new Map(), tokens: new Map(), tables: new Map() });
    this.database = `amazon_security_lake_glue_db_${region.replaceAll('-', '_')}`;
    for (const source of existsSync(join(lake, 'aws')) ? readdirSync(join(lake, 'aws')) : [])
      for (const version of readdirSync(join(lake, 'aws', source)))
        this.tables.set(`amazon_security_lake_table_${region.replaceAll('-', '_')}_${source.toLowerCase()}_${version.replace('.', '_')}`,
          join(lake, 'aws', source, version));
    this.scratch = mkdtempSync(join(tmpdir(), 'pairwatch-athena-'));
    process.on('exit', () => rmSync(this.scratch, { recursive: true, force: true }));
  }

  close() {
    rmSync(this.scratch, { recursive: true, force: true });
  }

  view(table) {
    return [`CREATE SCHEMA IF NOT EXISTS "${this.database}"`,
      `CREATE VIEW "${this.database}"."${table}" AS SELECT * EXCLUDE (filename), regexp_extract(filename, 'eventDay=([0-9]+)', 1) AS eventday
       FROM read_parquet('${this.tables.get(table)}/**/*.parquet', filename = true, union_by_name = true, hive_partitioning = false)`];
  }

  columns(table) {
    const file = join(this.scratch, 'columns.csv');
    execFileSync(this.sql, [...this.view(table),
      `COPY (SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "${this.database}"."${table}")) TO '${file}' (FORMAT csv, HEADER false, DELIMITER '|', QUOTE '', ESCAPE '')`]);
    return readFileSync(file, 'utf8').trim().split('\n').map((line) => {
      const at = line.indexOf('|');
      return { Name: line.slice(0, at), Type: hive(line.slice(at + 1)) };
    });
  }

  GetTableMetadata({ CatalogName, DatabaseName, TableName }, faults) {
    if (faults.athena?.table) throw { code: 'MetadataException', message: faults.athena.table };
    if (CatalogName !== 'AwsDataCatalog' || DatabaseName !== this.database || !this.tables.has(TableName))
      throw { code: 'MetadataException', message: `EntityNotFoundException: Entity Not Found (${TableName})` };
    const columns = this.columns(TableName);
    return { TableMetadata: { Name: TableName, Columns: columns.filter((c) => c.Name !== 'eventday'),
      PartitionKeys: columns.filter((c) => c.Name === 'eventday') } };
  }

  StartQueryExecution(asked, faults) {
    const { QueryString, ClientRequestToken: token, ResultConfiguration: where } = asked;
    const found = UNLOAD.exec(QueryString);
    const output = /^s3:\/\/([a-z0-9.-]+)\/(.*)$/.exec(where?.OutputLocation ?? '');
    if (faults.athena === 'no-bucket') throw { code: 'InvalidRequestException', message: `Unable to verify/create output bucket ${output?.[1]}` };
    if (!found) throw { code: 'InvalidRequestException', message: 'line 1:1: mismatched input' };
    if (/GROUP BY.*->/.test(QueryString)) throw { code: 'InvalidRequestException', message: 'GROUP BY with lambda expression' };
    if (!output) throw { code: 'InvalidRequestException', message: 'No output location provided.' };
    if (token && (token.length < 32 || token.length > 128)) throw { code: 'InvalidRequestException', message: 'ClientRequestToken' };
    if (this.tokens.has(token)) return { QueryExecutionId: this.tokens.get(token) };
    const id = `00000000-0000-4000-8000-${String(this.queries.size + 1).padStart(12, '0')}`;
    this.tokens.set(token, id);
    this.queries.set(id, { asked, select: found[1], bucket: found[3], prefix: found[4], state: 'QUEUED', polls: 0,
      output: { bucket: output[1], prefix: output[2] } });
    return { QueryExecutionId: id };
  }

  async run(id, query) {
    const file = join(this.scratch, `${id}.parquet`);
    const table = /FROM "([^"]+)"\."([^"]+)"/.exec(query.select)[2];
    try {
      execFileSync(this.sql, [...this.view(table), `COPY (${query.select.replaceAll('transform(', 'list_transform(')
        .replaceAll(' x -> ', ' lambda x: ')}) TO '${file}' (FORMAT parquet, COMPRESSION snappy)`], { stdio: 'pipe' });
    } catch (error) {
      query.state = 'FAILED';
      query.reason = String(error.stderr).split('\n').at(-2) ?? 'failed';
      return;
    }
    const key = `${query.prefix}20261124_000000_00000_abcde_${id}`;
    await this.s3.put(query.bucket, key, readFileSync(file));
    query.manifest = `${query.output.prefix}${query.output.prefix.endsWith('/') ? '' : '/'}${id}-manifest.csv`;
    await this.s3.put(query.output.bucket, query.manifest, `s3://${query.bucket}/${key}\n`);
    query.state = 'SUCCEEDED';
  }

  // faults.athena: "fail", "cancel", "slow", "stray", "no-bucket"; and {"reason": …}, {"table": …} in the words of others
  async GetQueryExecution({ QueryExecutionId: id }, faults) {
    const query = this.queries.get(id);
    if (!query) throw { code: 'InvalidRequestException', message: `QueryExecution ${id} was not found` };
    query.polls++;
    if (query.state === 'QUEUED') query.state = 'RUNNING';
    else if (query.state === 'RUNNING' && faults.athena === 'fail') {
      query.state = 'FAILED';
      query.reason = 'HIVE_BAD_DATA: Malformed Parquet file';
    } else if (query.state === 'RUNNING' && faults.athena?.reason) {
      query.state = 'FAILED';
      query.reason = faults.athena.reason;
    } else if (query.state === 'RUNNING' && faults.athena === 'cancel') {
      query.state = 'CANCELLED';
      query.reason = 'Query was cancelled by the user';
    } else if (query.state === 'RUNNING' && faults.athena !== 'slow') await this.run(id, query);
    if (query.state === 'SUCCEEDED' && faults.athena === 'stray')
      await this.s3.put(query.output.bucket, query.manifest, 's3://another-bucket/secret.parquet\n');
    const done = query.state === 'SUCCEEDED';
    return { QueryExecution: { QueryExecutionId: id, Query: query.asked.QueryString, StatementType: 'DML',
      Status: { State: query.state, ...(query.reason ? { StateChangeReason: query.reason } : {}) },
      WorkGroup: query.asked.WorkGroup ?? 'primary',
      Statistics: { DataScannedInBytes: 4096, ...(done ? { DataManifestLocation: `s3://${query.output.bucket}/${query.manifest}` } : {}) } } };
  }

  StopQueryExecution({ QueryExecutionId: id }) {
    const query = this.queries.get(id);
    if (!query) throw { code: 'InvalidRequestException', message: `QueryExecution ${id} was not found` };
    if (query.state === 'QUEUED' || query.state === 'RUNNING') query.state = 'CANCELLED';
    return {};
  }
}
