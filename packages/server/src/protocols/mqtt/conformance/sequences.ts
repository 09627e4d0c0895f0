// The wire sequences that the standard implies and no file of vectors holds whole: every packet type, both versions,
// broken in every way. Expectations come from the standard and, where it leaves a choice, from what the vectors show.
import type { Sequence } from '../testing/vectors.ts';
import { ackSequences } from './sequences-acks.ts';
import { connectSequences } from './sequences-connect.ts';
import { fixedSequences } from './sequences-fixed.ts';
import { flowSequences } from './sequences-flow.ts';
import { propertySequences } from './sequences-properties.ts';
import { publishSequences } from './sequences-publish.ts';
import { subscribeSequences } from './sequences-subscribe.ts';

export function derivedSequences(): Sequence[] {
  return [
    ...fixedSequences(),
    ...ackSequences(),
    ...subscribeSequences(),
    ...propertySequences(),
    ...flowSequences(),
    // Last: these leave retained messages behind, which subscriptions would hear.
    ...publishSequences(),
    ...connectSequences(),
  ];
}
