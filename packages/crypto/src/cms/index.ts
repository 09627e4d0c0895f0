export {
  type CmsSigner,
  type CmsSignOptions,
  type CmsTrust,
  judgeSignedData,
  type PreparedSignedData,
  prepareSignedData,
} from './signed-data.ts';
