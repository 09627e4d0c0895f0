import { createLog, formatRfc3339, type Log, type LogLevel, type LogRecord, systemClock } from '@holdfast/kernel';
import type { CommandIo } from './io.ts';

/** Log lines on stderr: readable on a terminal, one JSON object a line otherwise. */
export function createStderrLog(level: LogLevel, io: CommandIo): Log {
  return createLog((record) => io.err(io.errIsTerminal ? readable(record) : structured(record)), level);
}

function readable({ level, message, fields }: LogRecord): string {
  const facts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${String(value)}`);
  return `${formatRfc3339(systemClock.now()).slice(11, 19)} ${level.padEnd(5)} ${message}${facts.join('')}\n`;
}

function structured({ level, message, fields }: LogRecord): string {
  return `${JSON.stringify({ at: formatRfc3339(systemClock.now()), level, message, ...fields })}\n`;
}
