import type { Stranger } from './stranger.ts';
import { awsSdk } from './stranger/aws-sdk.ts';

/** Everybody Holdfast is held against, in the order they are met. */
export const STRANGERS: readonly Stranger[] = [awsSdk];
