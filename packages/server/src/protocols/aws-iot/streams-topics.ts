import type { FileStreams } from '@holdfast/trust/update';
import {
  type AwsIotRequest,
  type AwsMembers,
  awsReplyTopics,
  decodeAwsPayload,
  encodeStreamData,
  encodeStreamDescription,
  encodeStreamRejection,
  readStreamDescribe,
  readStreamGet,
} from '@holdfast/wire/aws-iot';
import { streamsWord } from './error-words.ts';
import type { DeviceRequest } from './request.ts';
import type { RequestRate } from './request-rate.ts';

export type StreamsAsked = Extract<AwsIotRequest, { readonly kind: 'stream-describe' | 'stream-get' }>;

export interface StreamsTopicsPorts {
  readonly streams: FileStreams;
  readonly rate: RequestRate;
}

/** Files over MQTT, one message a block. @see AWS IoT developer guide, "AWS IoT MQTT-based file delivery" */
export class StreamsTopics {
  readonly #ports: StreamsTopicsPorts;

  constructor(ports: StreamsTopicsPorts) {
    this.#ports = ports;
  }

  async answer(request: DeviceRequest<StreamsAsked>): Promise<void> {
    const { asker, asked, payload } = request;
    const { format } = asked;
    const topics = awsReplyTopics(asked);
    let c: string | undefined;
    try {
      await this.#ports.rate.take(asker.connectionId);
      const members = decodeAwsPayload(format, payload);
      ({ c } = readStreamDescribe(members));
      for (const reply of await this.#replies(request, members, c)) asker.reply(topics[reply.to], reply.payload);
    } catch (error) {
      const { code, message } = streamsWord(error);
      asker.reply(topics.rejected, encodeStreamRejection(format, { o: code, m: message, c }));
    }
  }

  async #replies(
    { asked, device }: DeviceRequest<StreamsAsked>,
    members: AwsMembers,
    c: string | undefined,
  ): Promise<readonly { readonly to: 'accepted' | 'rejected'; readonly payload: Uint8Array }[]> {
    const { streams } = this.#ports;
    const { format, stream } = asked;
    if (asked.kind === 'stream-describe') {
      const { version, description, files } = await streams.describe(device, stream);
      const r = files.map(({ fileId, size }) => ({ f: fileId, z: size }));
      return [{ to: 'accepted', payload: encodeStreamDescription(format, { c, s: version, d: description, r }) }];
    }
    const { f, l, o, n, s, b } = readStreamGet(members);
    const wish = { fileId: f, version: s, blockBytes: l, offset: o ?? 0, count: n, bitmap: b };
    const answer = await streams.get(device, stream, wish);
    if (answer.kind === 'refused') {
      const m = `the request is outside its limits: ${answer.code}`;
      return [{ to: 'rejected', payload: encodeStreamRejection(format, { o: answer.code, m, c }) }];
    }
    return answer.blocks.map(({ index, bytes }) => ({
      to: 'accepted',
      payload: encodeStreamData(format, { c, f, l: bytes.length, i: index, p: bytes }),
    }));
  }
}
