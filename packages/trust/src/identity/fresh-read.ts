import { HoldfastError } from '@holdfast/kernel';

const ATTEMPTS = 4;

/** Reads, decides and commits again when somebody else changed a record in between; the last conflict is thrown. */
export async function onFreshRead<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !HoldfastError.is(error, 'store.conflict')) throw error;
    }
  }
}
