import { readFileSync } from 'node:fs';
import { HoldfastError, parseStrictJson } from '@holdfast/kernel';
import { CONFIG_FIELDS, type Config, type ConfigField, type ConfigName } from './fields.ts';

type ConfigSource = 'default' | 'file' | 'environment' | 'flag';

export interface ConfigInputs {
  /** Path of a JSON file; `HOLDFAST_CONFIG` names one too. */
  readonly file?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** By field name; undefined means not given. */
  readonly flags: Readonly<Partial<Record<ConfigName, unknown>>>;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly sources: Readonly<Record<ConfigName, ConfigSource>>;
}

const NAMES = Object.keys(CONFIG_FIELDS) as ConfigName[];

/** Variables that belong to the command line, not to the server's settings. */
const COMMAND_LINE_VARIABLES: ReadonlySet<string> = new Set(['HOLDFAST_CONFIG']);

/**
 * Puts the settings together: file, then environment, then flags, the last given wins.
 *
 * @throws `server.bad_config` for an unknown key, a value out of range or a file that cannot be read; the details
 * name the field, never its value.
 */
export function loadConfig(inputs: ConfigInputs): LoadedConfig {
  const file = readConfigFile(inputs.file ?? inputs.environment['HOLDFAST_CONFIG']);
  refuseUnknownVariables(inputs.environment);
  const values: Partial<Record<ConfigName, unknown>> = {};
  const sources: Partial<Record<ConfigName, ConfigSource>> = {};
  for (const name of NAMES) {
    const field: ConfigField<unknown> = CONFIG_FIELDS[name];
    const layers: readonly (readonly [ConfigSource, unknown])[] = [
      ['flag', inputs.flags[name]],
      ['environment', inputs.environment[field.env]],
      ['file', file[name]],
      ['default', field.fallback],
    ];
    const [source, raw] = layers.find(([, value]) => value !== undefined) ?? ['default', undefined];
    values[name] = raw === undefined ? undefined : parseValue(name, field, raw, source);
    sources[name] = source;
  }
  return { config: values as Config, sources: sources as Record<ConfigName, ConfigSource> };
}

export interface ExplainedSetting {
  readonly name: ConfigName;
  readonly value: string;
  readonly source: ConfigSource;
  readonly env: string;
  readonly flag: string;
  readonly words: string;
}

/** Every value and where it came from, in the order of the table. */
export function explainConfig({ config, sources }: LoadedConfig): readonly ExplainedSetting[] {
  return NAMES.map((name) => {
    const { env, flag, words } = CONFIG_FIELDS[name];
    return { name, value: JSON.stringify(config[name] ?? null), source: sources[name], env, flag: `--${flag}`, words };
  });
}

function parseValue(name: ConfigName, field: ConfigField<unknown>, raw: unknown, source: ConfigSource): unknown {
  const parsed = field.schema.safeParse(raw);
  if (!parsed.success) throw new HoldfastError('server.bad_config', { field: name, source }, { cause: parsed.error });
  return parsed.data;
}

function readConfigFile(path: string | undefined): Readonly<Record<string, unknown>> {
  if (path === undefined) return {};
  let content: unknown;
  try {
    content = parseStrictJson(readFileSync(path));
  } catch (cause) {
    throw new HoldfastError('server.bad_config', { file: path }, { cause });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new HoldfastError('server.bad_config', { file: path, reason: 'not an object' });
  }
  const unknown = Object.keys(content).find((key) => !Object.hasOwn(CONFIG_FIELDS, key));
  if (unknown !== undefined) throw new HoldfastError('server.bad_config', { file: path, unknown });
  return content as Record<string, unknown>;
}

/** A misspelt variable would silently leave a default in force. */
function refuseUnknownVariables(environment: Readonly<Record<string, string | undefined>>): void {
  const known = new Set<string>([...NAMES.map((name) => CONFIG_FIELDS[name].env), ...COMMAND_LINE_VARIABLES]);
  const unknown = Object.keys(environment).find((name) => name.startsWith('HOLDFAST_') && !known.has(name));
  if (unknown !== undefined) throw new HoldfastError('server.bad_config', { unknown });
}
