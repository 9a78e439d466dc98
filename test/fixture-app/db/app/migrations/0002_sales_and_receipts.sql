CREATE TABLE `artist_sales` (
	`artist_id` integer PRIMARY KEY NOT NULL,
	`units` integer NOT NULL,
	`cents` integer NOT NULL,
	FOREIGN KEY (`artist_id`) REFERENCES `artists`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `daily_sales` (
	`day` text PRIMARY KEY NOT NULL,
	`invoices` integer NOT NULL,
	`cents` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `receipts` (
	`id` text PRIMARY KEY NOT NULL,
	`invoice_id` integer NOT NULL,
	`customer_id` integer NOT NULL,
	`email` text NOT NULL,
	`sent_at` text NOT NULL,
	FOREIGN KEY (`invoice_id`) REFERENCES `invoices`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`customer_id`) REFERENCES `customers`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `receipts_invoice_id_idx` ON `receipts` (`invoice_id`);--> statement-breakpoint
CREATE INDEX `receipts_customer_id_idx` ON `receipts` (`customer_id`);