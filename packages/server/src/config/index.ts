export { CONFIG_FIELDS, type Config, type ConfigName } from './fields.ts';
export { type ConfigInputs, type ExplainedSetting, explainConfig, type LoadedConfig, loadConfig } from './load.ts';
