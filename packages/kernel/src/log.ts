export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a log line may hold besides its message: identifiers and sizes, never secrets. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogRecord {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A log over one function that gets every record at or above `level`. */
export function createLog(write: (record: LogRecord) => void, level: LogLevel = 'info'): Log {
  const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
  const at =
    (own: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (order.indexOf(own) >= order.indexOf(level)) write({ level: own, message, fields });
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A log that says nothing. */
export const silentLog: Log = createLog(() => undefined);
