// #region receiver
import { createServer, type Server } from "node:http";
import { verifyWebhook, WebhookError } from "@posthorn/handler-http/verify";

/** The secrets that are good now: the one that was shown, and while it is rotated the new one. */
export const secrets: string[] = [];

export const receiver: Server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const webhook = await verifyWebhook(Buffer.concat(chunks), request.headers, {
      secret: secrets,
    });
    const { type, data } = webhook.json<{ type: string; data: unknown }>();
    console.log("received", type, data);
    response.writeHead(204).end();
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error;
    console.log("refused", error.code);
    response.writeHead(401).end();
  }
});
// #endregion receiver
