CREATE TABLE `albums` (
	`id` integer PRIMARY KEY NOT NULL,
	`title` text NOT NULL,
	`artist_id` integer NOT NULL,
	FOREIGN KEY (`artist_id`) REFERENCES `artists`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `albums_artist_id_idx` ON `albums` (`artist_id`);--> statement-breakpoint
CREATE TABLE `artists` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text
);
--> statement-breakpoint
CREATE TABLE `customers` (
	`id` integer PRIMARY KEY NOT NULL,
	`first_name` text NOT NULL,
	`last_name` text NOT NULL,
	`company` text,
	`address` text,
	`city` text,
	`state` text,
	`country` text,
	`postal_code` text,
	`phone` text,
	`fax` text,
	`email` text NOT NULL,
	`support_rep_id` integer,
	FOREIGN KEY (`support_rep_id`) REFERENCES `employees`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `customers_support_rep_id_idx` ON `customers` (`support_rep_id`);--> statement-breakpoint
CREATE TABLE `employees` (
	`id` integer PRIMARY KEY NOT NULL,
	`last_name` text NOT NULL,
	`first_name` text NOT NULL,
	`title` text,
	`reports_to` integer,
	`birth_date` text,
	`hire_date` text,
	`address` text,
	`city` text,
	`state` text,
	`country` text,
	`postal_code` text,
	`phone` text,
	`fax` text,
	`email` text,
	FOREIGN KEY (`reports_to`) REFERENCES `employees`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `employees_reports_to_idx` ON `employees` (`reports_to`);--> statement-breakpoint
CREATE TABLE `genres` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text
);
--> statement-breakpoint
CREATE TABLE `invoice_items` (
	`id` integer PRIMARY KEY NOT NULL,
	`invoice_id` integer NOT NULL,
	`track_id` integer NOT NULL,
	`unit_price` real NOT NULL,
	`quantity` integer NOT NULL,
	`customer_id` integer NOT NULL,
	FOREIGN KEY (`invoice_id`) REFERENCES `invoices`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`track_id`) REFERENCES `tracks`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`customer_id`) REFERENCES `customers`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `invoice_items_invoice_id_idx` ON `invoice_items` (`invoice_id`);--> statement-breakpoint
CREATE INDEX `invoice_items_track_id_idx` ON `invoice_items` (`track_id`);--> statement-breakpoint
CREATE INDEX `invoice_items_customer_id_idx` ON `invoice_items` (`customer_id`);--> statement-breakpoint
CREATE TABLE `invoices` (
	`id` integer PRIMARY KEY NOT NULL,
	`customer_id` integer NOT NULL,
	`invoice_date` text NOT NULL,
	`billing_address` text,
	`billing_city` text,
	`billing_state` text,
	`billing_country` text,
	`billing_postal_code` text,
	`total` real NOT NULL,
	FOREIGN KEY (`customer_id`) REFERENCES `customers`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `invoices_customer_id_idx` ON `invoices` (`customer_id`);--> statement-breakpoint
CREATE TABLE `media_types` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text
);
--> statement-breakpoint
CREATE TABLE `playlist_tracks` (
	`playlist_id` integer NOT NULL,
	`track_id` integer NOT NULL,
	PRIMARY KEY(`playlist_id`, `track_id`),
	FOREIGN KEY (`playlist_id`) REFERENCES `playlists`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`track_id`) REFERENCES `tracks`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `playlist_tracks_track_id_idx` ON `playlist_tracks` (`track_id`);--> statement-breakpoint
CREATE TABLE `playlists` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text
);
--> statement-breakpoint
CREATE TABLE `tracks` (
	`id` integer PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`album_id` integer,
	`media_type_id` integer NOT NULL,
	`genre_id` integer,
	`composer` text,
	`milliseconds` integer NOT NULL,
	`bytes` integer,
	`unit_price` real NOT NULL,
	FOREIGN KEY (`album_id`) REFERENCES `albums`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`media_type_id`) REFERENCES `media_types`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`genre_id`) REFERENCES `genres`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `tracks_album_id_idx` ON `tracks` (`album_id`);--> statement-breakpoint
CREATE INDEX `tracks_media_type_id_idx` ON `tracks` (`media_type_id`);--> statement-breakpoint
CREATE INDEX `tracks_genre_id_idx` ON `tracks` (`genre_id`);--> statement-breakpoint
CREATE INDEX `tracks_name_idx` ON `tracks` (`name`);