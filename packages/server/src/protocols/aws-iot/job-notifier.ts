import { type Clock, type Log, toHoldfastError } from '@holdfast/kernel';
import type { StoredEvent } from '@holdfast/trust/ports';
import type { DeviceJobs, JobOwner } from '@holdfast/trust/update';
import { encodeJobsMessage, jobsNotifyNextTopic, jobsNotifyTopic } from '@holdfast/wire/aws-iot';
import { executionOf, secondsOf, summaryOf } from './job-words.ts';
import type { TopicPublisher } from './topic-publisher.ts';

interface JobNotifierPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly jobs: DeviceJobs;
  readonly publisher: TopicPublisher;
}

const MAX_LISTED = 10; // AWS IoT developer guide, "Jobs notifications"

/** Tells devices of their jobs: `notify` when the list changes, `notify-next` when another job becomes the next. */
export class JobNotifier {
  readonly #ports: JobNotifierPorts;

  constructor(ports: JobNotifierPorts) {
    this.#ports = ports;
  }

  /** For `execution.queued`, `execution.changed` and `posture.changed`; anything else is ignored. */
  async onEvent(event: StoredEvent): Promise<void> {
    const { data, tenant, name, subject } = event;
    const isPosture = name === 'posture.changed';
    const deviceId = isPosture ? subject : data['deviceId'];
    if (!isPosture && name !== 'execution.queued' && name !== 'execution.changed') return;
    if (typeof deviceId !== 'string' || !this.#ports.publisher.isConnected(tenant, deviceId)) return;
    const owner = { tenant, deviceId };
    try {
      // Jobs that waited for the device's rights.
      const waited = isPosture && (await this.#ports.jobs.pending(owner)).length > 0;
      if (waited || data['listChanged'] === true) await this.#notify(owner);
      if (waited || data['nextChanged'] === true) await this.#notifyNext(owner);
    } catch (error) {
      // The device asks for its jobs when it connects; a lost notice delays, it loses nothing.
      this.#ports.log.warn('a device was not told of its jobs', { deviceId, code: toHoldfastError(error).code });
    }
  }

  async #notify({ tenant, deviceId }: JobOwner): Promise<void> {
    const { clock, jobs, publisher } = this.#ports;
    const topic = jobsNotifyTopic(deviceId);
    const listed = (await jobs.pending({ tenant, deviceId })).slice(0, MAX_LISTED);
    const inState = (status: string) => {
      const found = listed.filter((each) => each.status === status).map(summaryOf);
      return found.length === 0 ? undefined : found;
    };
    const message = {
      jobs: { QUEUED: inState('QUEUED'), IN_PROGRESS: inState('IN_PROGRESS') },
      timestamp: secondsOf(clock.now()),
    };
    await publisher.publish(tenant, topic, encodeJobsMessage('notify', message));
  }

  async #notifyNext({ tenant, deviceId }: JobOwner): Promise<void> {
    const { clock, jobs, publisher } = this.#ports;
    const topic = jobsNotifyNextTopic(deviceId);
    const next = await jobs.describeNext({ tenant, deviceId });
    const now = clock.now();
    const execution = next && executionOf(next.execution, now, next.document);
    await publisher.publish(
      tenant,
      topic,
      encodeJobsMessage('executionReply', { execution, timestamp: secondsOf(now) }),
    );
  }
}
