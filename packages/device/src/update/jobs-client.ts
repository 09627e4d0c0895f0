import { encodeBase64Url, HoldfastError, type Random } from '@holdfast/kernel';
import {
  type AwsIotRequest,
  awsIotTopic,
  awsReplyTopics,
  type DeviceStatus,
  decodeJobsMessage,
  encodeJobsMessage,
  type JobExecution,
  jobsNotifyNextTopic,
} from '@holdfast/wire/aws-iot';
import type { MqttConnection } from '../net/mqtt-connection.ts';

export type StatusDetails = Readonly<Record<string, string>>;

/** AWS Jobs, device side, on one connection. */
export class JobsClient {
  readonly #connection: MqttConnection;
  readonly #thing: string;
  readonly #random: Random;

  constructor(connection: MqttConnection, thing: string, random: Random) {
    this.#connection = connection;
    this.#thing = thing;
    this.#random = random;
  }

  /** Hears whenever another execution becomes the next one. */
  async onNext(handler: () => void): Promise<void> {
    const topic = jobsNotifyNextTopic(this.#thing);
    this.#connection.listen(topic, handler);
    await this.#connection.subscribe([topic], 1);
  }

  /** The next execution, now in progress; undefined when none is pending. */
  async startNext(statusDetails?: StatusDetails): Promise<JobExecution | undefined> {
    const message = { clientToken: this.#token(), ...(statusDetails === undefined ? {} : { statusDetails }) };
    const reply = await this.#ask(
      { kind: 'jobs-start-next', thing: this.#thing },
      encodeJobsMessage('startNextRequest', message),
    );
    return decodeJobsMessage('executionReply', reply).execution;
  }

  /** @throws `device.request_rejected` with the server's code, such as `InvalidStateTransition` */
  async update(job: string, status: DeviceStatus, statusDetails: StatusDetails = {}): Promise<void> {
    await this.#ask(
      { kind: 'job-update', thing: this.#thing, job },
      encodeJobsMessage('updateRequest', { status, statusDetails, clientToken: this.#token() }),
    );
  }

  /** As `update`; undefined when the server takes no more words on this job, since it has decided already. */
  async finish(job: string, status: DeviceStatus, statusDetails: StatusDetails): Promise<'taken' | 'decided'> {
    try {
      await this.update(job, status, statusDetails);
      return 'taken';
    } catch (error) {
      if (!HoldfastError.is(error, 'device.request_rejected')) throw error;
      return 'decided';
    }
  }

  #ask(request: AwsIotRequest, payload: Uint8Array): Promise<Uint8Array> {
    return this.#connection.request({
      topic: awsIotTopic(request),
      payload,
      ...awsReplyTopics(request),
      readRejection: (reply) => decodeJobsMessage('rejection', reply).code,
    });
  }

  #token(): string {
    return encodeBase64Url(this.#random.bytes(12));
  }
}
