import { HoldfastError } from '@holdfast/kernel';

const ATTEMPTS = 8;

/** Repeats an act that reads and then commits when somebody else changed the same record in between. */
export async function retryConflict<T>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      if (!HoldfastError.is(error, 'store.conflict') || attempt === ATTEMPTS) throw error;
    }
  }
}
