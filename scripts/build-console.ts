// Builds the console page into packages/console/dist; with --if-stale only when a source is newer than the build.
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../packages/console', import.meta.url));
const built = path.join(folder, 'dist', 'index.html');
const SOURCES = ['src', 'public', 'index.html', 'vite.config.ts', 'package.json'];

function newestSource(): number {
  const files = SOURCES.flatMap((name) => {
    const at = path.join(folder, name);
    if (!statSync(at).isDirectory()) return [at];
    return readdirSync(at, { recursive: true, encoding: 'utf8' }).map((inner) => path.join(at, inner));
  });
  return Math.max(...files.map((file) => statSync(file).mtimeMs));
}

function isFresh(): boolean {
  return existsSync(built) && statSync(built).mtimeMs >= newestSource();
}

if (!(process.argv.includes('--if-stale') && isFresh())) {
  try {
    const { build } = await import('vite');
    await build({ root: folder, configFile: path.join(folder, 'vite.config.ts'), logLevel: 'warn' });
  } catch (error) {
    // An install without development dependencies has no page builder and needs none: the page comes built.
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
    if (!existsSync(built)) console.error('The console page is not built: run npm ci with development dependencies.');
  }
}
