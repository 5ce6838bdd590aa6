// Runs an ONNX file with onnxruntime-web, which is ONNX Runtime in WebAssembly:
//
//     node node_web.mjs NODE_MODULES MODEL < JOB
//
// jobs.py says what a job is. The last line of the output is the signature, as JSON.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [packages, model] = process.argv.slice(2);
const ort = createRequire(`${packages}/`)("onnxruntime-web");
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(readFileSync(model), {
  executionProviders: ["wasm"],
});

function readFloats(file) {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

let feeds = {};
let files = {};
for (const line of readFileSync(0, "utf8").trim().split("\n")) {
  const [word, name, file, rank, ...sizes] = line.split(" ");
  if (word === "input") {
    feeds[name] = new ort.Tensor("float32", readFloats(file), sizes.map(Number));
  } else if (word === "output") {
    files[name] = file;
  } else {
    const results = await session.run(feeds);
    for (const [output, path] of Object.entries(files)) {
      const { data, dims } = results[output];
      writeFileSync(path, data);
      console.log([path, dims.length, ...dims].join(" "));
    }
    feeds = {};
    files = {};
  }
}
const shapes = (infos) => Object.fromEntries(infos.map((info) => [info.name, info.shape]));
console.log(
  JSON.stringify({
    inputs: shapes(session.inputMetadata),
    outputs: shapes(session.outputMetadata),
  }),
);
