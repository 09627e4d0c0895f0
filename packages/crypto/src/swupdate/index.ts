export {
  type AcceptedSwu,
  judgeSwu,
  type PreparedSwu,
  prepareSwu,
  readSwu,
  type SwuPolicy,
  type SwuSignOptions,
} from './package.ts';
