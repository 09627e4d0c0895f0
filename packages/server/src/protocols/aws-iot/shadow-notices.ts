import { type Log, toHoldfastError } from '@holdfast/kernel';
import type { ShadowDeleted, ShadowUpdated } from '@holdfast/trust/communication';
import { encodeShadowDeletion, encodeShadowReply, encodeShadowUpdated, shadowTopic } from '@holdfast/wire/aws-iot';
import type { TopicPublisher } from './topic-publisher.ts';

export interface ShadowNoticesPorts {
  readonly publisher: Pick<TopicPublisher, 'publish'>;
  readonly log: Log;
}

type Message = readonly [rest: string, payload: Uint8Array];

/** Tells on the shadow's topics what became of it, whichever door the change came by. */
export class ShadowNotices {
  readonly #ports: ShadowNoticesPorts;

  constructor(ports: ShadowNoticesPorts) {
    this.#ports = ports;
  }

  /** The change is committed: what cannot be told must not look as if it had failed. */
  async onChange(change: ShadowUpdated | ShadowDeleted): Promise<void> {
    const { log, publisher } = this.#ports;
    const { tenant, deviceId, name } = change.key;
    try {
      for (const [rest, payload] of change.kind === 'updated' ? ofUpdate(change) : ofDeletion(change)) {
        await publisher.publish(tenant, shadowTopic(deviceId, name, rest), payload);
      }
    } catch (error) {
      log.warn('a change of a shadow was not told', { deviceId, code: toHoldfastError(error).code });
    }
  }
}

function ofUpdate({ accepted, at, clientToken, current, delta, previous }: ShadowUpdated): readonly Message[] {
  const { version } = current;
  const differing: readonly Message[] =
    delta === undefined ? [] : [['update/delta', encodeShadowReply({ ...delta, version, at, clientToken })]];
  return [
    ['update/accepted', encodeShadowReply({ ...accepted, version, at, clientToken })],
    ...differing,
    ['update/documents', encodeShadowUpdated({ previous, current, at, clientToken })],
  ];
}

function ofDeletion({ version, at, clientToken }: ShadowDeleted): readonly Message[] {
  return [['delete/accepted', encodeShadowDeletion({ version, at, clientToken })]];
}
