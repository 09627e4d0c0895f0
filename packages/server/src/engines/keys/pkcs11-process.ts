// The process that a maker's PKCS #11 module is loaded into: one that hangs or crashes takes nothing of the server's
// with it, and finds none of its secrets but the PIN it was given.
import { CK, loadPkcs11Module } from '@holdfast/crypto/pkcs11';
import { HoldfastError } from '@holdfast/kernel';
import type { Pkcs11Answer, Pkcs11Opening, Pkcs11Question } from './pkcs11-messages.ts';
import { faultOf, Pkcs11Tokens } from './pkcs11-tokens.ts';

let tokens: Pkcs11Tokens | undefined;
let broken = 'not_opened';

function open({ modulePath, pin }: Pkcs11Opening): void {
  const module = loadPkcs11Module();
  if (module === undefined) {
    broken = 'no_addon';
    return;
  }
  try {
    module.load(modulePath);
    // Sessions sign on the thread pool: a module that was not told so hangs or answers wrongly.
    module.C_Initialize({ flags: CK.osLocking });
    tokens = new Pkcs11Tokens(module, pin);
  } catch (error) {
    const fault = faultOf(error);
    broken = fault === 'unknown' ? 'no_module' : fault;
  }
}

async function answer(question: Pkcs11Question): Promise<Pkcs11Answer> {
  const { number, kind, reference } = question;
  if (tokens === undefined) return { number, kind: 'failed', fault: broken };
  try {
    const bytes = await (kind === 'sign' ? tokens.sign(reference, question.order) : tokens.describe(reference));
    return { number, kind: 'done', bytes };
  } catch (error) {
    return { number, kind: 'failed', fault: HoldfastError.is(error) ? error.code : faultOf(error) };
  }
}

process.once('message', (opening: Pkcs11Opening) => {
  open(opening);
  process.on('message', (question: Pkcs11Question) => {
    void answer(question).then((answered) => process.send?.(answered));
  });
});
process.once('disconnect', () => process.exit());
// A signal to the whole group is the server's to answer: it still signs while it closes.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
