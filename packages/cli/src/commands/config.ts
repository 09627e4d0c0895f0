import { CONFIG_FIELDS, type ConfigName, explainConfig, loadConfig } from '@holdfast/server/config';
import type { Command } from 'commander';
import type { CommandIo } from '../output/io.ts';
import { formatJson, formatTable } from '../output/table.ts';

/** Flags of `holdfast up` as commander options, from the settings' own table. */
export function addConfigOptions(command: Command): Command {
  command.option('--config <file>', 'JSON file of settings');
  for (const [name, { flag, words, fallback }] of Object.entries(CONFIG_FIELDS)) {
    const shown = fallback === undefined ? words : `${words} (default: ${wordDefault(fallback)})`;
    command.option(typeof fallback === 'boolean' ? `--${flag}` : `--${flag} <${name}>`, shown);
  }
  return command;
}

/** The settings for these options. @throws `server.bad_config` */
export function configFromOptions(options: Readonly<Record<string, unknown>>, io: CommandIo) {
  const flags: Partial<Record<ConfigName, unknown>> = {};
  for (const name of Object.keys(CONFIG_FIELDS) as ConfigName[]) {
    flags[name] = options[attributeOf(CONFIG_FIELDS[name].flag)];
  }
  const file = options['config'];
  return loadConfig({ environment: io.environment, flags, file: typeof file === 'string' ? file : undefined });
}

function wordDefault(fallback: unknown): string {
  return Array.isArray(fallback) && fallback.length === 0 ? 'none' : String(fallback);
}

/** commander's attribute name of a long flag. */
function attributeOf(flag: string): string {
  return flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

export function registerConfig(noun: Command, io: CommandIo): void {
  const explain = noun.command('explain').description('print every setting, its value and its source');
  addConfigOptions(explain)
    .option('--json', 'one JSON document')
    .action((options: Record<string, unknown>) => {
      const rows = explainConfig(configFromOptions(options, io));
      if (options['json'] === true) io.out(formatJson(rows));
      else
        io.out(
          formatTable(
            rows,
            [
              { title: 'SETTING', value: (row) => row.name },
              { title: 'VALUE', value: (row) => row.value },
              { title: 'SOURCE', value: (row) => row.source },
              { title: 'FLAG', value: (row) => row.flag },
              { title: 'VARIABLE', value: (row) => row.env },
              { title: 'MEANING', value: (row) => row.words },
            ],
            io,
          ),
        );
    });
}
