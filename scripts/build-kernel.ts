/**
 * Compiles the kernels, src/<place>.asc.ts and what each imports, to WebAssembly and writes each, as base64, beside its source
 * into <place>.wasm.ts.
 */
import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const kernels = ["copy/row-kernel", "archive/compression/lz4-kernel"] as const;
export type Kernel = (typeof kernels)[number];

/** A kernel's module as AssemblyScript makes it from the committed source. @throws Error when it does not compile. */
export async function compileKernel(kernel: Kernel): Promise<Uint8Array> {
  const { default: asc } = await import("assemblyscript/asc");
  const source = sourceOf(kernel, "asc");
  const name = basename(kernel);
  let binary: Uint8Array | undefined;
  const { error } = await asc.main(
    [`${name}.asc.ts`, "--outFile", `${name}.wasm`, "-O3", "--runtime", "stub", "--enable", "simd", "--noAssert"],
    {
      readFile: async (file) => (file.endsWith(".asc.ts") ? await readFile(new URL(file, source), "utf8") : null),
      writeFile: (file, contents) => {
        if (file === `${name}.wasm` && typeof contents !== "string") binary = contents;
      },
      listFiles: () => [],
    },
  );
  if (error || !binary) throw new Error(`${kernel} does not compile`, { cause: error });
  return binary;
}

function sourceOf(kernel: Kernel, kind: "asc" | "wasm"): URL {
  return new URL(`../src/${kernel}.${kind}.ts`, import.meta.url);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const kernel of kernels) {
    const name = basename(kernel);
    const base64 = Buffer.from(await compileKernel(kernel)).toString("base64");
    await writeFile(
      sourceOf(kernel, "wasm"),
      `/** Made from ${name}.asc.ts by \`npm run kernel\`; ${name}.test.ts compiles it again and compares. */\nexport const kernelBase64 =\n  "${base64}";\n`,
    );
  }
}
