export {
  type AcceptedRaucBundle,
  judgeRaucBundle,
  type PreparedRaucBundle,
  prepareRaucBundle,
  type RaucPolicy,
  type RaucSignOptions,
  readRaucBundle,
} from './bundle.ts';
