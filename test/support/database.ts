export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  __InternalSupabase: { PostgrestVersion: '14' }
  public: {
    Tables: {
      albums: {
        Row: {
          id: number
          title: string
          artist_id: number
        }
        Insert: {
          id?: number
          title: string
          artist_id: number
        }
        Update: {
          id?: number
          title?: string
          artist_id?: number
        }
        Relationships: [{ foreignKeyName: 'albums_artist_id_fkey'; columns: ['artist_id']; isOneToOne: false; referencedRelation: 'artists'; referencedColumns: ['id'] }]
      }
      artists: {
        Row: {
          id: number
          name: string | null
        }
        Insert: {
          id?: number
          name?: string | null
        }
        Update: {
          id?: number
          name?: string | null
        }
        Relationships: []
      }
      customers: {
        Row: {
          id: number
          first_name: string
          last_name: string
          company: string | null
          address: string | null
          city: string | null
          state: string | null
          country: string | null
          postal_code: string | null
          phone: string | null
          fax: string | null
          email: string
          support_rep_id: number | null
        }
        Insert: {
          id?: number
          first_name: string
          last_name: string
          company?: string | null
          address?: string | null
          city?: string | null
          state?: string | null
          country?: string | null
          postal_code?: string | null
          phone?: string | null
          fax?: string | null
          email: string
          support_rep_id?: number | null
        }
        Update: {
          id?: number
          first_name?: string
          last_name?: string
          company?: string | null
          address?: string | null
          city?: string | null
          state?: string | null
          country?: string | null
          postal_code?: string | null
          phone?: string | null
          fax?: string | null
          email?: string
          support_rep_id?: number | null
        }
        Relationships: [{ foreignKeyName: 'customers_support_rep_id_fkey'; columns: ['support_rep_id']; isOneToOne: false; referencedRelation: 'employees'; referencedColumns: ['id'] }]
      }
      daily_sales: {
        Row: {
          day: string
          invoices: number
          cents: number
        }
        Insert: {
          day: string
          invoices: number
          cents: number
        }
        Update: {
          day?: string
          invoices?: number
          cents?: number
        }
        Relationships: []
      }
      employees: {
        Row: {
          id: number
          last_name: string
          first_name: string
          title: string | null
          reports_to: number | null
          birth_date: string | null
          hire_date: string | null
          address: string | null
          city: string | null
          state: string | null
          country: string | null
          postal_code: string | null
          phone: string | null
          fax: string | null
          email: string | null
        }
        Insert: {
          id?: number
          last_name: string
          first_name: string
          title?: string | null
          reports_to?: number | null
          birth_date?: string | null
          hire_date?: string | null
          address?: string | null
          city?: string | null
          state?: string | null
          country?: string | null
          postal_code?: string | null
          phone?: string | null
          fax?: string | null
          email?: string | null
        }
        Update: {
          id?: number
          last_name?: string
          first_name?: string
          title?: string | null
          reports_to?: number | null
          birth_date?: string | null
          hire_date?: string | null
          address?: string | null
          city?: string | null
          state?: string | null
          country?: string | null
          postal_code?: string | null
          phone?: string | null
          fax?: string | null
          email?: string | null
        }
        Relationships: [{ foreignKeyName: 'employees_reports_to_fkey'; columns: ['reports_to']; isOneToOne: false; referencedRelation: 'employees'; referencedColumns: ['id'] }]
      }
      genres: {
        Row: {
          id: number
          name: string | null
        }
        Insert: {
          id?: number
          name?: string | null
        }
        Update: {
          id?: number
          name?: string | null
        }
        Relationships: []
      }
      invoice_items: {
        Row: {
          id: number
          invoice_id: number
          track_id: number
          unit_price: number
          quantity: number
          customer_id: number
        }
        Insert: {
          id?: number
          invoice_id: number
          track_id: number
          unit_price: number
          quantity: number
          customer_id: number
        }
        Update: {
          id?: number
          invoice_id?: number
          track_id?: number
          unit_price?: number
          quantity?: number
          customer_id?: number
        }
        Relationships: [{ foreignKeyName: 'invoice_items_invoice_id_fkey'; columns: ['invoice_id']; isOneToOne: false; referencedRelation: 'invoices'; referencedColumns: ['id'] }, { foreignKeyName: 'invoice_items_track_id_fkey'; columns: ['track_id']; isOneToOne: false; referencedRelation: 'tracks'; referencedColumns: ['id'] }, { foreignKeyName: 'invoice_items_customer_id_fkey'; columns: ['customer_id']; isOneToOne: false; referencedRelation: 'customers'; referencedColumns: ['id'] }]
      }
      invoices: {
        Row: {
          id: number
          customer_id: number
          invoice_date: string
          billing_address: string | null
          billing_city: string | null
          billing_state: string | null
          billing_country: string | null
          billing_postal_code: string | null
          total: number
        }
        Insert: {
          id?: number
          customer_id: number
          invoice_date: string
          billing_address?: string | null
          billing_city?: string | null
          billing_state?: string | null
          billing_country?: string | null
          billing_postal_code?: string | null
          total: number
        }
        Update: {
          id?: number
          customer_id?: number
          invoice_date?: string
          billing_address?: string | null
          billing_city?: string | null
          billing_state?: string | null
          billing_country?: string | null
          billing_postal_code?: string | null
          total?: number
        }
        Relationships: [{ foreignKeyName: 'invoices_customer_id_fkey'; columns: ['customer_id']; isOneToOne: false; referencedRelation: 'customers'; referencedColumns: ['id'] }]
      }
      media_types: {
        Row: {
          id: number
          name: string | null
        }
        Insert: {
          id?: number
          name?: string | null
        }
        Update: {
          id?: number
          name?: string | null
        }
        Relationships: []
      }
      playlist_tracks: {
        Row: {
          playlist_id: number
          track_id: number
        }
        Insert: {
          playlist_id: number
          track_id: number
        }
        Update: {
          playlist_id?: number
          track_id?: number
        }
        Relationships: [{ foreignKeyName: 'playlist_tracks_playlist_id_fkey'; columns: ['playlist_id']; isOneToOne: false; referencedRelation: 'playlists'; referencedColumns: ['id'] }, { foreignKeyName: 'playlist_tracks_track_id_fkey'; columns: ['track_id']; isOneToOne: false; referencedRelation: 'tracks'; referencedColumns: ['id'] }]
      }
      playlists: {
        Row: {
          id: number
          name: string | null
        }
        Insert: {
          id?: number
          name?: string | null
        }
        Update: {
          id?: number
          name?: string | null
        }
        Relationships: []
      }
      receipts: {
        Row: {
          id: string
          invoice_id: number
          customer_id: number
          email: string
          sent_at: string
        }
        Insert: {
          id?: string
          invoice_id: number
          customer_id: number
          email: string
          sent_at?: string
        }
        Update: {
          id?: string
          invoice_id?: number
          customer_id?: number
          email?: string
          sent_at?: string
        }
        Relationships: [{ foreignKeyName: 'receipts_invoice_id_fkey'; columns: ['invoice_id']; isOneToOne: false; referencedRelation: 'invoices'; referencedColumns: ['id'] }, { foreignKeyName: 'receipts_customer_id_fkey'; columns: ['customer_id']; isOneToOne: false; referencedRelation: 'customers'; referencedColumns: ['id'] }]
      }
      tracks: {
        Row: {
          id: number
          name: string
          album_id: number | null
          media_type_id: number
          genre_id: number | null
          composer: string | null
          milliseconds: number
          bytes: number | null
          unit_price: number
          minutes: number | null
        }
        Insert: {
          id?: number
          name: string
          album_id?: number | null
          media_type_id: number
          genre_id?: number | null
          composer?: string | null
          milliseconds: number
          bytes?: number | null
          unit_price: number
        }
        Update: {
          id?: number
          name?: string
          album_id?: number | null
          media_type_id?: number
          genre_id?: number | null
          composer?: string | null
          milliseconds?: number
          bytes?: number | null
          unit_price?: number
        }
        Relationships: [{ foreignKeyName: 'tracks_album_id_fkey'; columns: ['album_id']; isOneToOne: false; referencedRelation: 'albums'; referencedColumns: ['id'] }, { foreignKeyName: 'tracks_media_type_id_fkey'; columns: ['media_type_id']; isOneToOne: false; referencedRelation: 'media_types'; referencedColumns: ['id'] }, { foreignKeyName: 'tracks_genre_id_fkey'; columns: ['genre_id']; isOneToOne: false; referencedRelation: 'genres'; referencedColumns: ['id'] }]
      }
    }
    Views: { [_ in never]: never }
    Functions: {
      best_sellers: { Args: { genre_id?: number; count?: number }; Returns: Database['public']['Tables']['tracks']['Row'][]; SetofOptions: { from: '*'; to: 'tracks'; isOneToOne: false; isSetofReturn: true } }
      playing_time: { Args: { playlist_id: number }; Returns: Json }
      longest_track: { Args: { '': Database['public']['Tables']['albums']['Row'] }; Returns: Database['public']['Tables']['tracks']['Row'][]; SetofOptions: { from: 'albums'; to: 'tracks'; isOneToOne: true; isSetofReturn: true } }
      same_length: { Args: { '': Database['public']['Tables']['tracks']['Row'] }; Returns: Database['public']['Tables']['tracks']['Row'][]; SetofOptions: { from: 'tracks'; to: 'tracks'; isOneToOne: false; isSetofReturn: true } }
    }
    Enums: { [_ in never]: never }
    CompositeTypes: { [_ in never]: never }
  }
  office: {
    Tables: {
      artists: {
        Row: {
          artist_id: number
          units: number
          cents: number
        }
        Insert: {
          artist_id?: number
          units: number
          cents: number
        }
        Update: {
          artist_id?: number
          units?: number
          cents?: number
        }
        Relationships: []
      }
      employees: {
        Row: {
          id: number
          last_name: string
          first_name: string
          title: string | null
          reports_to: number | null
          birth_date: string | null
          hire_date: string | null
          address: string | null
          city: string | null
          state: string | null
          country: string | null
          postal_code: string | null
          phone: string | null
          fax: string | null
          email: string | null
        }
        Insert: {
          id?: number
          last_name: string
          first_name: string
          title?: string | null
          reports_to?: number | null
          birth_date?: string | null
          hire_date?: string | null
          address?: string | null
          city?: string | null
          state?: string | null
          country?: string | null
          postal_code?: string | null
          phone?: string | null
          fax?: string | null
          email?: string | null
        }
        Update: {
          id?: number
          last_name?: string
          first_name?: string
          title?: string | null
          reports_to?: number | null
          birth_date?: string | null
          hire_date?: string | null
          address?: string | null
          city?: string | null
          state?: string | null
          country?: string | null
          postal_code?: string | null
          phone?: string | null
          fax?: string | null
          email?: string | null
        }
        Relationships: [{ foreignKeyName: 'employees_reports_to_fkey'; columns: ['reports_to']; isOneToOne: false; referencedRelation: 'employees'; referencedColumns: ['id'] }]
      }
    }
    Views: { [_ in never]: never }
    Functions: {
      sold_most: { Args: { count?: number }; Returns: Database['office']['Tables']['artists']['Row'][]; SetofOptions: { from: '*'; to: 'artists'; isOneToOne: false; isSetofReturn: true } }
    }
    Enums: { [_ in never]: never }
    CompositeTypes: { [_ in never]: never }
  }
}
