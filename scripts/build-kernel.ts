/** Compiles src/copy/row-kernel.asc.ts and what it imports to WebAssembly and writes it, as base64, into src/copy/row-kernel.wasm.ts. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const folder = new URL("../src/copy/", import.meta.url);
const output = new URL("../src/copy/row-kernel.wasm.ts", import.meta.url);

/** The kernel's module as AssemblyScript makes it from the committed source. @throws Error when it does not compile. */
export async function compileKernel(): Promise<Uint8Array> {
  const { default: asc } = await import("assemblyscript/asc");
  let binary: Uint8Array | undefined;
  const { error } = await asc.main(
    ["row-kernel.asc.ts", "--outFile", "row-kernel.wasm", "-O3", "--runtime", "stub", "--enable", "simd", "--noAssert"],
    {
      readFile: async (name) => (name.endsWith(".asc.ts") ? await readFile(new URL(name, folder), "utf8") : null),
      writeFile: (name, contents) => {
        if (name === "row-kernel.wasm" && typeof contents !== "string") binary = contents;
      },
      listFiles: () => [],
    },
  );
  if (error || !binary) throw new Error("the kernel does not compile", { cause: error });
  return binary;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const base64 = Buffer.from(await compileKernel()).toString("base64");
  await writeFile(
    output,
    `/** Made from row-kernel.asc.ts by \`npm run kernel\`; row-kernel.test.ts compiles it again and compares. */\nexport const kernelBase64 =\n  "${base64}";\n`,
  );
}
