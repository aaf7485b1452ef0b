/** The real service with the bundled models and an RNN, on free ports. */

import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

const ROOT = path.resolve(import.meta.dirname, "../..");
const PYTHON = path.join(ROOT, ".venv/bin/python");

/** @returns {Promise<{url: string, stop: function(): Promise}>} */
export async function startService() {
  const models = await mkdtemp(path.join(tmpdir(), "seq2serve-web-"));
  for (const name of await readdir(path.join(ROOT, "models"))) {
    await symlink(path.join(ROOT, "models", name), path.join(models, name));
  }
  await ended(python("-m", "tests.web.rnn_bundle", path.join(models, "rnn")));
  const ports = ["--http-address", "127.0.0.1:0", "--grpc-address", "127.0.0.1:0", "--device", "cpu"];
  const service = python("-m", "service", "--models", models, ...ports);
  const url = await said(service, /HTTP on (http:\S+)/);
  const stop = async () => {
    service.kill("SIGTERM");
    await new Promise((resolve) => (service.exitCode === null ? service.once("exit", resolve) : resolve()));
    await rm(models, { recursive: true });
  };
  return { url, stop };
}

/** Run the project's Python. */
export function python(...command) {
  return spawn(PYTHON, command, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
}

/** Wait for a program; it must end well. */
export function ended(started) {
  started.stdout.resume();
  return new Promise((resolve, reject) => {
    started.once("error", reject);
    started.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${started.spawnargs.join(" ")}: ${code}`))));
  });
}

/** What a line of its output says. */
function said(started, pattern) {
  let text = "";
  return new Promise((resolve, reject) => {
    started.once("exit", (code) => reject(new Error(`the service ended with ${code}: ${text}`)));
    started.stdout.on("data", (data) => {
      text += data;
      const found = pattern.exec(text);
      if (found) resolve(found[1]);
    });
  });
}
