import { existsSync } from 'node:fs';
import path from 'node:path';
import { runTool, succeed } from './run-tool.ts';

const PACKAGE = 'pkcs11js@2.1.7';
const BUILD_LIMIT_MS = 240_000;

/**
 * Compiles the addon that Holdfast reaches tokens by, as an operator would: it is not among its dependencies.
 *
 * @returns what `NODE_PATH` has to be
 */
export async function installPkcs11Addon(folder: string): Promise<string> {
  const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--silent'];
  await succeed('npm', ['install', ...quiet, '--prefix', folder, PACKAGE], {
    cwd: folder,
    env: await headersOfNode(),
    limitMs: BUILD_LIMIT_MS,
  });
  return path.join(folder, 'node_modules');
}

/** Headers stand beside most installations of Node; without them node-gyp fetches those of its version. */
async function headersOfNode(): Promise<Record<string, string>> {
  const { stdout } = await runTool('node', ['-p', 'process.execPath']);
  const installed = [process.execPath, stdout.toString().trim()].map((node) => path.dirname(path.dirname(node)));
  const prefix = installed.find((each) => existsSync(path.join(each, 'include/node/node_api.h')));
  return prefix === undefined ? {} : { npm_config_nodedir: prefix };
}
