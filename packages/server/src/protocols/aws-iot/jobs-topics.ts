import { HoldfastError } from '@holdfast/kernel';
import {
  awsReplyTopics,
  decodeAwsPayload,
  encodeJobsMessage,
  type JobExecutionState,
  readJobsMessage,
} from '@holdfast/wire/aws-iot';
import { jobsWord } from './error-words.ts';
import { InOrder } from './in-order.ts';
import { JobAnswers, type JobAnswersPorts, type JobsAsked } from './job-answers.ts';
import { secondsOf } from './job-words.ts';
import type { DeviceRequest } from './request.ts';
import type { RequestRate } from './request-rate.ts';

export interface JobsTopicsPorts extends JobAnswersPorts {
  readonly rate: RequestRate;
}

/**
 * The Jobs API over MQTT. Answers go to the asking connection alone, whether it subscribed or may receive: FreeRTOS
 * agents and the AWS Jobs library wait for them without either.
 *
 * @see AWS IoT developer guide, "Jobs device MQTT API operations"
 */
export class JobsTopics {
  readonly #ports: JobsTopicsPorts;
  readonly #answers: JobAnswers;
  readonly #inOrder = new InOrder();

  constructor(ports: JobsTopicsPorts) {
    this.#ports = ports;
    this.#answers = new JobAnswers(ports);
  }

  /**
   * One request of a connection after the other: a device that sends its next status without waiting must not find the
   * older one stored over it.
   */
  answer(request: DeviceRequest<JobsAsked>): Promise<void> {
    return this.#inOrder.run(request.asker.connectionId, () => this.#answer(request));
  }

  async #answer({ asker, asked, device, payload }: DeviceRequest<JobsAsked>): Promise<void> {
    const { clock, rate } = this.#ports;
    const topics = awsReplyTopics(asked);
    const timestamp = secondsOf(clock.now());
    let clientToken: string | undefined;
    const reject = (caught: unknown, executionState?: JobExecutionState) =>
      asker.reply(
        topics.rejected,
        encodeJobsMessage('rejection', { ...jobsWord(caught), executionState, timestamp, clientToken }),
        { unpoliced: true },
      );
    try {
      await rate.take(asker.connectionId);
      const members = decodeAwsPayload('json', payload);
      clientToken = readJobsMessage('pendingRequest', members).clientToken;
      const answer = await this.#answers.to(asked.kind, { ...asked, device, members, clientToken, timestamp });
      if (answer.kind === 'refused') reject(new HoldfastError(answer.code), answer.state);
      else asker.reply(topics.accepted, answer.payload, { unpoliced: true });
    } catch (error) {
      reject(error);
    }
  }
}
