import { formatRfc3339 } from '@holdfast/kernel';
import { RenewalWatch } from '@holdfast/trust/identity';
import type { IdentityRepositories } from '@holdfast/trust/ports';
import type { Foundation } from './foundation.ts';

const ALARM = 'identity.renewal_overdue';

/** Says which devices stopped renewing, while there is a sixth of their certificates' life left. */
export function watchRenewals(
  foundation: Foundation,
  { certificates }: Pick<IdentityRepositories, 'certificates'>,
): void {
  const { alarms, clock, closers, log, tenant } = foundation;
  const watching = new RenewalWatch({ clock, log, certificates }).start(tenant, ({ devices, first }) => {
    if (first === undefined) {
      alarms.clear(ALARM);
      return;
    }
    const { deviceId, notAfter } = first;
    const words = notAfter < clock.now() ? 'ended' : 'ends';
    alarms.raise(
      ALARM,
      `${devices} device(s) did not renew in time; the certificate of ${deviceId} ${words} first, at ${formatRfc3339(notAfter)}`,
    );
  });
  closers.add('renewal watch', () => watching.close());
}
