import { spawn } from 'node:child_process';

export interface ToolResult {
  /** Exit code, or -1 when a signal or the limit ended it. */
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface ToolOptions {
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly limitMs?: number;
}

const LIMIT_MS = 30_000;

/** Runs a program to its end. @throws `ENOENT` as Node words it when there is none of this name. */
export function runTool(name: string, args: readonly string[], options: ToolOptions = {}): Promise<ToolResult> {
  const { input, cwd, env, limitMs = LIMIT_MS } = options;
  const { promise, resolve, reject } = Promise.withResolvers<ToolResult>();
  const child = spawn(name, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
    env: { ...process.env, LC_ALL: 'C', ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  // A tool that does not read its input must not end us.
  child.stdin.on('error', () => undefined);
  child.on('error', reject);
  child.on('close', (code) =>
    resolve({ code: code ?? -1, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() }),
  );
  child.stdin.end(input);
  return promise;
}

/** The output of a program that must succeed. */
export async function succeed(name: string, args: readonly string[], options: ToolOptions = {}): Promise<Buffer> {
  const { code, stdout, stderr } = await runTool(name, args, options);
  if (code !== 0) {
    const words = `${stderr.trim()} ${stdout.toString().trim()}`.trim().slice(-600);
    throw new Error(`${name} ${args[0] ?? ''} ended with ${code}: ${words}`);
  }
  return stdout;
}

/** What matches in a tool's own version line; undefined when the tool is missing. */
export async function toolVersion(
  name: string,
  args: readonly string[],
  pattern: RegExp = /\d+(?:\.\d+)+\S*/,
): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await runTool(name, args);
    return pattern.exec(`${stdout.toString()}\n${stderr}`)?.[0];
  } catch {
    return undefined;
  }
}

/** The version of an installed Debian package; undefined when it, or dpkg, is not there. */
export async function debianVersion(name: string): Promise<string | undefined> {
  try {
    const { code, stdout } = await runTool('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Version}', name]);
    const [status, version] = stdout.toString().split(' ');
    return code === 0 && status === 'installed' ? version : undefined;
  } catch {
    return undefined;
  }
}
