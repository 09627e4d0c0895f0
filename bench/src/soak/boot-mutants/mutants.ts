import ts from 'typescript';

/** One change to a source file. */
export interface SourceMutant {
  readonly line: number;
  readonly change: string;
  readonly source: string;
}

/** Parts of a file that judge nothing: a signer's half of a codec, and words for people. */
const NO_JUDGES = /^#?(encode|prepare|draft|seal|pad|write|sign[A-Z]|toBlock|make|format|name)/;

const SWAPPED: Readonly<Partial<Record<ts.SyntaxKind, string>>> = {
  [ts.SyntaxKind.AmpersandAmpersandToken]: '||',
  [ts.SyntaxKind.BarBarToken]: '&&',
  [ts.SyntaxKind.EqualsEqualsEqualsToken]: '!==',
  [ts.SyntaxKind.ExclamationEqualsEqualsToken]: '===',
  [ts.SyntaxKind.LessThanToken]: '<=',
  [ts.SyntaxKind.LessThanEqualsToken]: '<',
  [ts.SyntaxKind.GreaterThanToken]: '>=',
  [ts.SyntaxKind.GreaterThanEqualsToken]: '>',
  [ts.SyntaxKind.PlusToken]: '-',
  [ts.SyntaxKind.MinusToken]: '+',
};

const METHODS: Readonly<Record<string, string>> = { some: 'every', every: 'some' };

/** Every mutant of a file: conditions turned round, checks dropped, limits moved by one. */
export function mutantsOf(source: string, name: string): readonly SourceMutant[] {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.ES2024, true);
  const mutants: SourceMutant[] = [];
  const put = (node: ts.Node, text: string, change: string): void => {
    const [start, end] = [node.getStart(file), node.getEnd()];
    const { line } = file.getLineAndCharacterOfPosition(start);
    mutants.push({ line: line + 1, change, source: source.slice(0, start) + text + source.slice(end) });
  };
  const visit = (node: ts.Node): void => {
    if (isLeftAlone(node)) return;
    mutate(node, put, file);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return mutants;
}

/** What an error says, what a type says, what only a signer does, and what passes a fault of ours on. */
function isLeftAlone(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node) || ts.isTypeNode(node) || ts.isInterfaceDeclaration(node)) return true;
  if (ts.isThrowStatement(node)) return true;
  if (ts.isIfStatement(node) && node.getText().startsWith('if (!HoldfastError.is(')) return true;
  if (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) return NO_JUDGES.test(node.name?.getText() ?? '');
  return false;
}

type Put = (node: ts.Node, text: string, change: string) => void;

function mutate(node: ts.Node, put: Put, file: ts.SourceFile): void {
  if (ts.isIfStatement(node)) {
    put(node.expression, `!(${node.expression.getText(file)})`, 'condition negated');
    put(node.expression, 'false', 'check dropped');
  } else if (ts.isConditionalExpression(node)) {
    put(node.condition, `!(${node.condition.getText(file)})`, 'choice negated');
  } else if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression)) {
    put(node, ';', 'call dropped');
  } else if (ts.isBinaryExpression(node)) {
    const other = SWAPPED[node.operatorToken.kind];
    if (other !== undefined) put(node.operatorToken, other, `${node.operatorToken.getText(file)} is ${other}`);
  } else if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
    put(node, node.operand.getText(file), '! dropped');
  } else if (ts.isPropertyAccessExpression(node)) {
    const other = METHODS[node.name.text];
    if (other !== undefined) put(node.name, other, `${node.name.text} is ${other}`);
  } else if (ts.isNumericLiteral(node) && !isDefault(node)) {
    put(node, String(Number(node.text) + 1), `${node.text} is one more`);
  } else if (node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword) {
    put(node, node.kind === ts.SyntaxKind.TrueKeyword ? 'false' : 'true', `${node.getText(file)} turned round`);
  }
}

/** What follows `??`, which is there for the type checker where an index is known to be good. */
function isDefault(node: ts.Node): boolean {
  for (let at = node; ts.isExpression(at); at = at.parent) {
    const { parent } = at;
    const isOfNullish =
      ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken;
    if (isOfNullish && parent.right === at) return true;
  }
  return false;
}
