// Compiles what is published into dist/packages: JavaScript, declarations and package.json files that name them. Only what an entry point reaches is
// compiled, so tests, vectors and test support stay out by themselves.
//
//   node dist/packages/cli/src/main.js up
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = path.join(root, 'dist');
const PACKAGES = ['kernel', 'wire', 'crypto', 'trust', 'api', 'server', 'device', 'cli'];
/** Started by path rather than imported. */
const STARTED = [
  'packages/cli/src/main.ts',
  'packages/server/src/persistence/writer-worker.ts',
  'packages/server/src/engines/keys/pkcs11-process.ts',
  'packages/server/src/engines/rehearsal/rehearsal-thread.ts',
];

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

function readManifest(name: string): Manifest {
  return JSON.parse(readFileSync(path.join(root, 'packages', name, 'package.json'), 'utf8')) as Manifest;
}

function entries(): readonly string[] {
  const exported = PACKAGES.flatMap((name) =>
    Object.values(readManifest(name).exports ?? {}).flatMap((target) =>
      globSync(path.join(root, 'packages', name, target)),
    ),
  );
  return [...exported, ...STARTED.map((file) => path.join(root, file)).filter(existsSync)];
}

/** @returns the errors, worded; empty when everything compiled */
function compile(): string {
  const { config } = ts.readConfigFile(path.join(root, 'tsconfig.base.json'), (file) => ts.sys.readFile(file));
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: [] }, ts.sys, root);
  const program = ts.createProgram([...entries()], {
    ...options,
    rootDir: path.join(root, 'packages'),
    outDir: path.join(out, 'packages'),
    declaration: true,
    sourceMap: false,
    noEmitOnError: true,
    incremental: false,
  });
  const diagnostics = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  return ts.formatDiagnostics(ts.sortAndDeduplicateDiagnostics(diagnostics), {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => root,
    getNewLine: () => '\n',
  });
}

/** Exports that point to sources point to what was made of them. */
function writeManifest(name: string): void {
  const { exports = {}, ...manifest } = readManifest(name);
  const built = Object.entries(exports).map(([key, target]) => [
    key,
    { types: target.replace(/\.ts$/, '.d.ts'), default: target.replace(/\.ts$/, '.js') },
  ]);
  const text = JSON.stringify(
    { ...manifest, ...(built.length === 0 ? {} : { exports: Object.fromEntries(built) }) },
    undefined,
    2,
  );
  writeFileSync(path.join(out, 'packages', name, 'package.json'), `${text}\n`);
}

/** `@holdfast/*` of a built package is its built neighbour; everything else is found further up. */
function linkNeighbours(): void {
  const scope = path.join(out, 'node_modules', '@holdfast');
  mkdirSync(scope, { recursive: true });
  for (const name of PACKAGES) symlinkSync(path.join('..', '..', 'packages', name), path.join(scope, name), 'dir');
}

function copyConsole(): void {
  const page = path.join(root, 'packages', 'console', 'dist');
  if (!existsSync(page)) {
    console.error('The console page is not built: run npm ci first.');
    process.exit(1);
  }
  cpSync(page, path.join(out, 'packages', 'console', 'dist'), { recursive: true });
}

rmSync(out, { recursive: true, force: true });
const errors = compile();
if (errors !== '') {
  console.error(errors);
  process.exit(1);
}
for (const name of PACKAGES) writeManifest(name);
linkNeighbours();
copyConsole();
console.log(`built ${PACKAGES.length} packages into ${path.relative(process.cwd(), out) || '.'}`);
