import { HoldfastError } from '@holdfast/kernel';

/** Where a listing by time stands: `{milliseconds}.{id}`. */
export function positionOf(at: number, id: string): string {
  return `${at}.${id}`;
}

/** A page of such a listing: what `parsePosition` gave, or neither `at` nor `id` for the first one. */
export interface PositionArgs {
  readonly tenant: string;
  readonly at?: number;
  readonly id?: string;
  readonly limit: number;
}

/** @throws `wire.malformed` for a position no listing gave. */
export function parsePosition(position: string): { readonly at: number; readonly id: string } {
  const parts = /^([0-9]{1,15})\.(.+)$/.exec(position);
  if (parts === null) throw new HoldfastError('wire.malformed', { field: 'after' });
  return { at: Number(parts[1]), id: parts[2] ?? '' };
}
