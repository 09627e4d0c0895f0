import { AnswerIsNo, describeFailure } from './output/failure.ts';
import { processIo } from './output/io.ts';
import { buildProgram, isUsageError } from './program.ts';

const io = processIo();
const args = process.argv.slice(2);

try {
  const program = await buildProgram(args, io);
  await program.parseAsync(args, { from: 'user' });
} catch (error) {
  if (isUsageError(error)) process.exitCode = error.exitCode === 0 ? 0 : 64;
  else if (error instanceof AnswerIsNo) process.exitCode = 1;
  else {
    const { line, exit } = describeFailure(error);
    io.err(`${line}\n`);
    process.exitCode = exit;
  }
}
