import type { Logger } from "@posthorn/core";
import { verifyWebhook, WebhookError } from "@posthorn/handler-http/verify";

/** What a customer's server was told when its webhook was created. A real one keeps it secret. */
export const receiverSecret = "whsec_QW4gZXhhbXBsZSdzIHNlY3JldCwgbm8gc2VjcmV0IQ==";

/** A customer's server, here in the same process: it takes webhooks of type `http`, if they are signed. */
export const receiver =
  (logger?: Logger) =>
  async (request: Request): Promise<Response> => {
    try {
      const body = await request.arrayBuffer();
      const webhook = await verifyWebhook(body, request.headers, { secret: receiverSecret });
      const { type } = webhook.json<{ type: string }>();
      logger?.info({ id: webhook.id }, `The receiver took ${type}: its signature is right.`);
      return new Response(null, { status: 204 });
    } catch (error) {
      if (!(error instanceof WebhookError)) throw error;
      logger?.warn({ code: error.code }, "The receiver refused a webhook.");
      return new Response(null, { status: 401 });
    }
  };
