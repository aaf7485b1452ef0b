/** node run.mjs: starts the service and walks through its page in Chromium. `make web-test` calls it. */

import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { startService } from "./service.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

if (!existsSync(CHROMIUM)) {
  console.error(`web-test: there is no ${CHROMIUM}: apt-get install chromium, or say in CHROMIUM where it is`);
  process.exit(2);
}
const here = import.meta.dirname;
const wanted = process.argv.slice(2);
const names = (await readdir(here)).filter((name) => name.endsWith(".test.mjs"));
const files = names.filter((name) => !wanted.length || wanted.some((part) => name.includes(part)));
const service = await startService();
process.env.SEQ2SERVE_PAGE = service.url;
process.env.CHROMIUM = CHROMIUM;
try {
  const results = run({ files: files.map((name) => path.join(here, name)), concurrency: 1 });
  results.on("test:fail", () => (process.exitCode = 1));
  const report = results.compose(new spec());
  report.pipe(process.stdout);
  await finished(report);
} finally {
  await service.stop();
}
