import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { banner } from '../output/banner.ts';
import { createStderrLog } from '../output/stderr-log.ts';
import { addConfigOptions, configFromOptions } from './config.ts';
import { stopSignal, untilAborted } from './stop-signal.ts';

export function registerUp(noun: Command, io: CommandIo): void {
  addConfigOptions(noun).action(async (options: Record<string, unknown>) => {
    const { config } = configFromOptions(options, io);
    const { startServer } = await import('@holdfast/server');
    const server = await startServer(config, { log: createStderrLog(config.logLevel, io) });
    io.err(await banner(server, io));
    await untilAborted(stopSignal());
    await server.close();
  });
}
