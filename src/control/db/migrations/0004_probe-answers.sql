CREATE TABLE "probe_answers" (
	"request_id" text NOT NULL,
	"node_id" text NOT NULL,
	"ok" boolean,
	"at" timestamp (3) with time zone,
	"detail" text NOT NULL,
	"answered_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "probe_answers_request_id_node_id_pk" PRIMARY KEY("request_id","node_id")
);
--> statement-breakpoint
ALTER TABLE "probe_answers" ADD CONSTRAINT "probe_answers_request_id_probe_requests_id_fk" FOREIGN KEY ("request_id") REFERENCES "public"."probe_requests"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "probe_answers" ADD CONSTRAINT "probe_answers_node_id_nodes_id_fk" FOREIGN KEY ("node_id") REFERENCES "public"."nodes"("id") ON DELETE cascade ON UPDATE no action;