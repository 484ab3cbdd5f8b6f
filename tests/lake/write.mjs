// Writes Parquet files by a writer that shares no code with the one that reads them:
//   node write.mjs FOLDER < [{"name", "codec", "schema", "columns": {name: [value of each row]}}, …]
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";

const compressors = { GZIP: (bytes) => new Uint8Array(gzipSync(bytes)) };

// JSON has no BigInt, and a top-level INT64 column takes nothing else.
function column(name, data, schema) {
  const wide = schema.some((element) => element.name === name && element.type === "INT64");
  return { name, data: wide ? data.map((value) => (value === null ? null : BigInt(value))) : data };
}

const folder = process.argv[2];
for (const { name, codec, schema, columns } of JSON.parse(readFileSync(0, "utf8"))) {
  const columnData = Object.entries(columns).map(([key, data]) => column(key, data, schema));
  const bytes = parquetWriteBuffer({ columnData, schema, codec, compressors: codec === "GZIP" ? compressors : undefined });
  writeFileSync(join(folder, name), new Uint8Array(bytes));
}
