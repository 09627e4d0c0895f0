import { formatRfc3339, toHoldfastError } from '@holdfast/kernel';
import type { OcspSignerHealth, RevocationListHealth } from '@holdfast/trust/identity';
import type { KeyHealth } from '../engines/keys/key-engines.ts';
import type { Foundation } from './foundation.ts';
import type { Rooms } from './rooms.ts';

const CRL_CHECK_MS = 60_000;
const AUDIT_CHECK_MS = 3_600_000;

const CRL_WORDS: Readonly<Record<Exclude<RevocationListHealth, 'fresh'>, string>> = {
  'half-life-passed':
    'the revocation list was not renewed in time; devices are judged by the registry and keep working',
  expired: 'the revocation list has expired: third parties that read it refuse every certificate',
  absent: 'no revocation list is published',
};

const OCSP_WORDS: Readonly<Record<Exclude<OcspSignerHealth, 'fresh'>, string>> = {
  'half-life-passed': 'the OCSP signer was not renewed in time; its certificate is still in force',
  expired: 'the OCSP signer has expired: third parties that ask are told to try later',
  absent: 'there is no OCSP signer: third parties that ask are told to try later',
};

/** Looks after what fails quietly: the revocation list's life, the audit log's integrity, stored artifacts. */
export function startWatches(foundation: Foundation, rooms: Rooms): void {
  const { clock, closers, alarms, database, engines } = foundation;
  const crl = clock.every(CRL_CHECK_MS, () => void checkRevocationList(foundation, rooms));
  const ocsp = clock.every(CRL_CHECK_MS, () => checkOcspSigner(foundation, rooms));
  const audit = clock.every(AUDIT_CHECK_MS, () => void checkAuditLog(foundation));
  const artifacts = database.events.subscribe('alarms', ({ name, subject }) => {
    if (name === 'artifact.corrupt') {
      alarms.raise(
        `artifact.corrupt ${subject}`,
        `stored artifact ${subject} is damaged; rollouts that use it are stopped`,
      );
    }
  });
  engines.onHealth((health) => keyChanged(foundation, rooms, health));
  closers.add('watches', () => {
    crl.cancel();
    ocsp.cancel();
    audit.cancel();
    artifacts.close();
  });
}

async function checkRevocationList({ alarms, log }: Foundation, { revocationList }: Rooms): Promise<void> {
  try {
    const health = await revocationList.health();
    if (health === 'fresh') alarms.clear('identity.crl');
    else alarms.raise('identity.crl', CRL_WORDS[health]);
  } catch (error) {
    log.warn('the revocation list could not be looked at', { code: toHoldfastError(error).code });
  }
}

/** What waited for the key is made up for as soon as it signs again. */
function keyChanged({ alarms }: Foundation, { revocationList, ocspSigner }: Rooms, health: KeyHealth): void {
  const alarm = `storage.key_engine ${health.reference}`;
  if (health.kind === 'answers') {
    alarms.clear(alarm);
    revocationList.retry();
    void ocspSigner.retry();
    return;
  }
  const { error, since, reference } = health;
  const reason = typeof error.details['reason'] === 'string' ? ` (${error.details['reason']})` : '';
  alarms.raise(
    alarm,
    `key ${reference} does not sign since ${formatRfc3339(since)}: ${error.code}${reason}; what it signs waits, devices keep working`,
  );
}

function checkOcspSigner({ alarms }: Foundation, { ocspSigner }: Rooms): void {
  const health = ocspSigner.health();
  if (health === 'fresh') alarms.clear('identity.ocsp');
  else alarms.raise('identity.ocsp', OCSP_WORDS[health]);
}

async function checkAuditLog({ alarms, auditTrail, checkpoints, log }: Foundation): Promise<void> {
  try {
    const verdict = await auditTrail.verify(checkpoints.key);
    if (verdict.kind !== 'intact')
      alarms.raise('audit.altered', 'the audit log was altered: run holdfast audit verify');
  } catch (error) {
    log.warn('the audit log could not be checked', { code: toHoldfastError(error).code });
  }
}
