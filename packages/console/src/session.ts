import { signal } from '@preact/signals';
import { api, Refusal } from './api.ts';

/** True once the server asked for a link. */
export const signedOut = signal(false);

/**
 * Trades the token of a one-time link for the session cookie.
 *
 * The token leaves the address bar before anything else happens, so that it stays in no history.
 */
export async function openFromLink(): Promise<void> {
  const token = location.hash.slice(1);
  if (token === '') return;
  history.replaceState(null, '', location.pathname);
  try {
    await api.openSession(token);
  } catch (error) {
    if (error instanceof Refusal) signedOut.value = true;
    else throw error;
  }
}
