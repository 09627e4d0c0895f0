import type { RunningServer } from '@holdfast/server';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { banner } from '../output/banner.ts';
import { createStderrLog } from '../output/stderr-log.ts';
import { addConfigOptions, configFromOptions } from './config.ts';

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export function registerUp(noun: Command, io: CommandIo): void {
  addConfigOptions(noun).action(async (options: Record<string, unknown>) => {
    const { config } = configFromOptions(options, io);
    const { startServer } = await import('@holdfast/server');
    const server = await startServer(config, { log: createStderrLog(config.logLevel, io) });
    io.err(await banner(server, io));
    await untilStopped(server);
  });
}

/** Serves until a signal asks to stop, then closes in order; a second signal ends the process at once. */
async function untilStopped(server: RunningServer): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of STOP_SIGNALS) process.once(signal, () => resolve());
  });
  await server.close();
}
