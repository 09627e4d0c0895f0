import path from 'node:path';
import type { Fleet } from '../harness/fleet.ts';
import { freePorts, startProcess, type Subject, untilListening } from '../harness/processes.ts';

/** node:tls with the fleet's certificates and nothing behind it: what the runtime alone costs. */
export async function withBareTls<Result>(
  fleet: Fleet,
  action: (bare: Subject & { readonly port: number }) => Promise<Result>,
): Promise<Result> {
  const [port = 0] = await freePorts(1);
  const parameters = { port: String(port), ca: fleet.ca, cert: fleet.serverChain, key: fleet.serverKey };
  const file = path.join(import.meta.dirname, '../workloads/bare-tls.ts');
  const subject = startProcess(process.execPath, ['--no-warnings', file, JSON.stringify(parameters)]);
  try {
    await untilListening(port);
    return await action({ ...subject, port });
  } finally {
    await subject.stop();
  }
}
