<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en_US" sourcelanguage="id_ID">
<context>
    <name>AdoptPane</name>
    <message>
        <source>Sambungkan kartu lama ini?</source>
        <translation>Bind this old card?</translation>
    </message>
    <message>
        <source>NIK •••• %1</source>
        <translation>NIK •••• %1</translation>
    </message>
    <message>
        <source>Cocokkan dulu KTP dengan orangnya. Kartu ini lalu menjadi kartu orang ini.</source>
        <translation>Compare KTP and person first. The card is then this person&apos;s.</translation>
    </message>
    <message>
        <source>Sedang dicek…</source>
        <translation>Checking…</translation>
    </message>
    <message>
        <source>KTP cocok, sambungkan</source>
        <translation>KTP matches, bind it</translation>
    </message>
    <message>
        <source>Kembali</source>
        <translation>Back</translation>
    </message>
</context>
<context>
    <name>AttractPage</name>
    <message>
        <source>Membaca… jangan angkat kartu</source>
        <translation>Reading… keep the card still</translation>
    </message>
    <message>
        <source>Tempelkan kartu di sini.</source>
        <translation>Tap your card here.</translation>
    </message>
    <message>
        <source>Tahan sampai terdengar bunyi.</source>
        <translation>Hold it until you hear a beep.</translation>
    </message>
    <message>
        <source>Arahkan kode QR ke kamera</source>
        <translation>Point your QR code at the camera</translation>
    </message>
    <message>
        <source>Data sedang dimuat: %1%.</source>
        <translation>Loading data: %1%.</translation>
    </message>
    <message>
        <source>Alat pembaca terputus. Panggil petugas.</source>
        <translation>Reader disconnected. Call an officer.</translation>
    </message>
    <message>
        <source>Petugas</source>
        <translation>Officer</translation>
    </message>
    <message>
        <source>Kamera terputus. Pakai kartu.</source>
        <translation>Camera disconnected. Use the card.</translation>
    </message>
</context>
<context>
    <name>ConfirmPane</name>
    <message>
        <source>Serahkan %1 kepada %2?</source>
        <translation>Hand over %1 to %2?</translation>
    </message>
    <message>
        <source>Serahkan %1 kepada %2, wali %3?</source>
        <translation>Hand over %1 to %2, guardian of %3?</translation>
    </message>
    <message>
        <source>Serahkan %1 kepada %2, wakil %3?</source>
        <translation>Hand over %1 to %2, representative of %3?</translation>
    </message>
    <message>
        <source>Nama wakil</source>
        <translation>Representative&apos;s name</translation>
    </message>
    <message>
        <source>Nomor surat kuasa</source>
        <translation>Number of the letter</translation>
    </message>
    <message>
        <source>Sudah dicek: %1</source>
        <translation>Checked: %1</translation>
    </message>
    <message>
        <source>Jumlah</source>
        <translation>Quantity</translation>
    </message>
    <message>
        <source>Kurangi jumlah</source>
        <translation>Less</translation>
    </message>
    <message>
        <source>Tambah jumlah</source>
        <translation>More</translation>
    </message>
    <message>
        <source>Alasan jumlahnya kurang</source>
        <translation>Why it is less</translation>
    </message>
    <message>
        <source>Lanjut %1/%2</source>
        <translation>Next %1/%2</translation>
    </message>
    <message>
        <source>Sedang dicatat…</source>
        <translation>Recording…</translation>
    </message>
    <message>
        <source>Serahkan</source>
        <translation>Hand over</translation>
    </message>
    <message>
        <source>Kembali</source>
        <translation>Back</translation>
    </message>
</context>
<context>
    <name>DatePane</name>
    <message>
        <source>Tanggal kiosk belum pasti. Tanggal berapa hari ini?</source>
        <translation>The kiosk is unsure of the date. What is today&apos;s date?</translation>
    </message>
    <message>
        <source>Tahun-bulan-tanggal</source>
        <translation>Year-month-day</translation>
    </message>
    <message>
        <source>Sedang dicek…</source>
        <translation>Checking…</translation>
    </message>
    <message>
        <source>Pastikan</source>
        <translation>Confirm</translation>
    </message>
    <message>
        <source>Kembali</source>
        <translation>Back</translation>
    </message>
</context>
<context>
    <name>DayPane</name>
    <message>
        <source>dibatalkan</source>
        <translation>voided</translation>
    </message>
    <message>
        <source>menunggu</source>
        <translation>waiting</translation>
    </message>
    <message>
        <source>Hari ini: %1</source>
        <translation>Today: %1</translation>
    </message>
    <message>
        <source>Kembali</source>
        <translation>Back</translation>
    </message>
    <message>
        <source>Lanjut %1/%2</source>
        <translation>Next %1/%2</translation>
    </message>
</context>
<context>
    <name>FindPane</name>
    <message>
        <source>Cari nomor kartu</source>
        <translation>Find a card number</translation>
    </message>
    <message>
        <source>Nomor pada kartu</source>
        <translation>Number on the card</translation>
    </message>
    <message>
        <source>Chip rusak</source>
        <translation>Chip damaged</translation>
    </message>
    <message>
        <source>Kartu tertinggal</source>
        <translation>Card left at home</translation>
    </message>
    <message>
        <source>Alat pembaca rusak</source>
        <translation>Reader broken</translation>
    </message>
    <message>
        <source>Sedang dicek…</source>
        <translation>Checking…</translation>
    </message>
    <message>
        <source>Cari</source>
        <translation>Find</translation>
    </message>
    <message>
        <source>Kembali</source>
        <translation>Back</translation>
    </message>
</context>
<context>
    <name>IdleWarning</name>
    <message>
        <source>Masih di sini? Layar tertutup dalam %1 detik.</source>
        <translation>Still there? This screen closes in %1 seconds.</translation>
    </message>
    <message>
        <source>Tambah waktu</source>
        <translation>More time</translation>
    </message>
    <message>
        <source>Selesai</source>
        <translation>Finish</translation>
    </message>
</context>
<context>
    <name>Keyboard</name>
    <message>
        <source>Spasi</source>
        <translation>Space</translation>
    </message>
    <message>
        <source>Hapus</source>
        <translation>Delete</translation>
    </message>
    <message>
        <source>Tutup</source>
        <translation>Close</translation>
    </message>
</context>
<context>
    <name>NoticePage</name>
    <message>
        <source>Selesai</source>
        <translation>Finish</translation>
    </message>
    <message>
        <source>Alat pembaca terputus. Panggil petugas.</source>
        <translation>Reader disconnected. Call an officer.</translation>
    </message>
    <message>
        <source>Kiosk belum bisa dipakai. Silakan ke Loket 1.</source>
        <translation>This kiosk cannot be used now. Go to counter 1.</translation>
    </message>
    <message>
        <source>Petugas</source>
        <translation>Officer</translation>
    </message>
</context>
<context>
    <name>OfficerHead</name>
    <message>
        <source>Papan ketik</source>
        <translation>Keyboard</translation>
    </message>
    <message>
        <source>Keluar</source>
        <translation>Sign out</translation>
    </message>
    <message>
        <source>Kembali</source>
        <translation>Back</translation>
    </message>
    <message>
        <source>Peragaan.</source>
        <translation>Demonstration.</translation>
    </message>
    <message>
        <source>Data sedang dimuat: %1%.</source>
        <translation>Loading data: %1%.</translation>
    </message>
    <message>
        <source>Ada catatan yang menunggu jawaban penyelia.</source>
        <translation>A record is waiting for a supervisor&apos;s answer.</translation>
    </message>
    <message>
        <source>Tanggal kiosk belum pasti.</source>
        <translation>The kiosk is unsure of the date.</translation>
    </message>
</context>
<context>
    <name>OfficerRow</name>
    <message>
        <source>No. %1</source>
        <translation>No. %1</translation>
    </message>
    <message>
        <source>petugas %1</source>
        <translation>officer %1</translation>
    </message>
</context>
<context>
    <name>PersonPane</name>
    <message>
        <source>NIK •••• %1</source>
        <translation>NIK •••• %1</translation>
    </message>
    <message>
        <source>Kartu %1</source>
        <translation>Card %1</translation>
    </message>
    <message>
        <source>Lahir %1</source>
        <translation>Born %1</translation>
    </message>
    <message>
        <source>Belum ada program untuk kartu ini.</source>
        <translation>No program for this card yet.</translation>
    </message>
    <message>
        <source>Serahkan</source>
        <translation>Hand over</translation>
    </message>
    <message>
        <source>Sambungkan kartu lama</source>
        <translation>Bind the old card</translation>
    </message>
    <message>
        <source>Selesai</source>
        <translation>Finish</translation>
    </message>
    <message>
        <source>Lanjut %1/%2</source>
        <translation>Next %1/%2</translation>
    </message>
    <message>
        <source>Tanggal lahir</source>
        <translation>Birth date</translation>
    </message>
</context>
<context>
    <name>ReasonChoice</name>
    <message>
        <source>Alasan lain</source>
        <translation>Another reason</translation>
    </message>
</context>
<context>
    <name>RecordedPane</name>
    <message>
        <source>Tercatat. No. %1</source>
        <translation>Recorded. No. %1</translation>
    </message>
</context>
<context>
    <name>ResultPage</name>
    <message>
        <source>Kartu terbaca.</source>
        <translation>Card read.</translation>
    </message>
    <message>
        <source>Kartu terbaca. %1</source>
        <translation>Card read. %1</translation>
    </message>
    <message>
        <source>Sedang dicek…</source>
        <translation>Checking…</translation>
    </message>
    <message>
        <source>Belum ada program untuk kartu ini. Tanyakan ke petugas.</source>
        <translation>No program for this card yet. Ask the officer.</translation>
    </message>
    <message>
        <source>Ada layanan lain untuk Anda. Tanyakan ke petugas.</source>
        <translation>There are other services for you. Ask the officer.</translation>
    </message>
    <message>
        <source>Selesai</source>
        <translation>Finish</translation>
    </message>
    <message>
        <source>Data terakhir: %1</source>
        <translation>Data from %1</translation>
    </message>
    <message>
        <source>Kembali</source>
        <translation>Back</translation>
    </message>
    <message>
        <source>%1 dari %2</source>
        <translation>%1 of %2</translation>
    </message>
    <message>
        <source>Lanjut</source>
        <translation>Next</translation>
    </message>
</context>
<context>
    <name>SignInPane</name>
    <message>
        <source>Masuk sebagai petugas</source>
        <translation>Sign in as an officer</translation>
    </message>
    <message>
        <source>Tempelkan lencana Anda, atau ketik nama pengguna.</source>
        <translation>Tap your badge, or type your user name.</translation>
    </message>
    <message>
        <source>Nama pengguna</source>
        <translation>User name</translation>
    </message>
    <message>
        <source>PIN</source>
        <translation>PIN</translation>
    </message>
    <message>
        <source>Sedang dicek…</source>
        <translation>Checking…</translation>
    </message>
    <message>
        <source>Masuk</source>
        <translation>Sign in</translation>
    </message>
    <message>
        <source>Kembali</source>
        <translation>Back</translation>
    </message>
</context>
<context>
    <name>Tray</name>
    <message>
        <source>Kartu peragaan</source>
        <translation>Demonstration cards</translation>
    </message>
    <message>
        <source>Tempelkan</source>
        <translation>Tap</translation>
    </message>
    <message>
        <source>Angkat</source>
        <translation>Lift</translation>
    </message>
    <message>
        <source>Taruh</source>
        <translation>Put</translation>
    </message>
    <message>
        <source>Turunkan QR</source>
        <translation>Hide QR</translation>
    </message>
    <message>
        <source>Tunjukkan QR</source>
        <translation>Show QR</translation>
    </message>
    <message>
        <source>Kembali</source>
        <translation>Back</translation>
    </message>
    <message>
        <source>Lanjut %1/%2</source>
        <translation>Next %1/%2</translation>
    </message>
</context>
<context>
    <name>UnshownPane</name>
    <message>
        <source>Kiosk berhenti sebelum catatan ini terlihat. Sudah diserahkan?</source>
        <translation>The kiosk stopped before this entry was seen. Was it handed over?</translation>
    </message>
    <message>
        <source>No. %1</source>
        <translation>No. %1</translation>
    </message>
    <message>
        <source>Sudah diserahkan</source>
        <translation>Handed over</translation>
    </message>
    <message>
        <source>Belum diserahkan</source>
        <translation>Not handed over</translation>
    </message>
    <message>
        <source>Nanti</source>
        <translation>Later</translation>
    </message>
</context>
<context>
    <name>VoidPane</name>
    <message>
        <source>Batalkan No. %1?</source>
        <translation>Void No. %1?</translation>
    </message>
    <message>
        <source>Barang belum keluar</source>
        <translation>Goods never left</translation>
    </message>
    <message>
        <source>Barang dikembalikan</source>
        <translation>Goods came back</translation>
    </message>
    <message>
        <source>Salah orang</source>
        <translation>Wrong person</translation>
    </message>
    <message>
        <source>Salah program</source>
        <translation>Wrong program</translation>
    </message>
    <message>
        <source>Batal diambil</source>
        <translation>Not taken after all</translation>
    </message>
    <message>
        <source>Sedang dicatat…</source>
        <translation>Recording…</translation>
    </message>
    <message>
        <source>Batalkan catatan</source>
        <translation>Void the entry</translation>
    </message>
    <message>
        <source>Kembali</source>
        <translation>Back</translation>
    </message>
</context>
<context>
    <name>WaitingPane</name>
    <message>
        <source>Membaca… jangan angkat kartu</source>
        <translation>Reading… keep the card still</translation>
    </message>
    <message>
        <source>Tempelkan kartu pemegang.</source>
        <translation>Tap the holder&apos;s card.</translation>
    </message>
    <message>
        <source>Cari nomor kartu</source>
        <translation>Find a card number</translation>
    </message>
    <message>
        <source>Pastikan tanggal</source>
        <translation>Confirm the date</translation>
    </message>
    <message>
        <source>Sambungkan kartu lama</source>
        <translation>Bind the old card</translation>
    </message>
    <message>
        <source>Batalkan catatan terakhir</source>
        <translation>Void the last entry</translation>
    </message>
</context>
<context>
    <name>Words</name>
    <message>
        <source>Januari</source>
        <translation>January</translation>
    </message>
    <message>
        <source>Februari</source>
        <translation>February</translation>
    </message>
    <message>
        <source>Maret</source>
        <translation>March</translation>
    </message>
    <message>
        <source>April</source>
        <translation>April</translation>
    </message>
    <message>
        <source>Mei</source>
        <translation>May</translation>
    </message>
    <message>
        <source>Juni</source>
        <translation>June</translation>
    </message>
    <message>
        <source>Juli</source>
        <translation>July</translation>
    </message>
    <message>
        <source>Agustus</source>
        <translation>August</translation>
    </message>
    <message>
        <source>September</source>
        <translation>September</translation>
    </message>
    <message>
        <source>Oktober</source>
        <translation>October</translation>
    </message>
    <message>
        <source>November</source>
        <translation>November</translation>
    </message>
    <message>
        <source>Desember</source>
        <translation>December</translation>
    </message>
    <message>
        <source>foto di kartu dan KTP cocok</source>
        <translation>photo on the card and KTP match</translation>
    </message>
    <message>
        <source>akta kelahiran</source>
        <translation>birth certificate</translation>
    </message>
    <message>
        <source>kartu pelajar</source>
        <translation>student card</translation>
    </message>
    <message>
        <source>surat dokter</source>
        <translation>doctor&apos;s letter</translation>
    </message>
    <message>
        <source>surat kuasa</source>
        <translation>letter of authority</translation>
    </message>
    <message>
        <source>buku KIA</source>
        <translation>KIA book</translation>
    </message>
    <message>
        <source>%1 dan %2</source>
        <translation>%1 and %2</translation>
    </message>
    <message>
        <source>Siap diambil</source>
        <translation>Ready</translation>
    </message>
    <message>
        <source>Siap diambil – %1</source>
        <translation>Ready – %1</translation>
    </message>
    <message>
        <source>Sudah diambil</source>
        <translation>Picked up</translation>
    </message>
    <message>
        <source>Sudah diambil %1</source>
        <translation>Picked up %1</translation>
    </message>
    <message>
        <source>Sudah diambil %1 di %2</source>
        <translation>Picked up %1 at %2</translation>
    </message>
    <message>
        <source>Bisa diambil mulai %1</source>
        <translation>From %1</translation>
    </message>
    <message>
        <source>Bawa %1</source>
        <translation>Bring your %1</translation>
    </message>
    <message>
        <source>Bisa diambil di tempat lain. Tanyakan ke petugas.</source>
        <translation>Pick up at another place. Ask the officer.</translation>
    </message>
    <message>
        <source>Bisa diambil di %1</source>
        <translation>Pick up at %1</translation>
    </message>
    <message>
        <source>Sedang dicek…</source>
        <translation>Checking…</translation>
    </message>
    <message>
        <source>Belum bisa dicek sekarang. Tanyakan ke petugas.</source>
        <translation>Cannot be checked right now. Ask the officer.</translation>
    </message>
    <message>
        <source>Sudah berakhir %1</source>
        <translation>Ended %1</translation>
    </message>
    <message>
        <source>Persediaan habis di sini. Tanyakan ke petugas.</source>
        <translation>None left here. Ask the officer.</translation>
    </message>
    <message>
        <source>Perlu dicek petugas. Bawa KTP.</source>
        <translation>An officer must check. Bring your KTP.</translation>
    </message>
    <message>
        <source>Tanggal kiosk belum pasti. Panggil petugas.</source>
        <translation>The kiosk is unsure of the date. Call an officer.</translation>
    </message>
    <message>
        <source>Kartu tidak aktif. Bawa ke Loket 1.</source>
        <translation>Card not active. Take it to counter 1.</translation>
    </message>
    <message>
        <source>Loket %1</source>
        <translation>counter %1</translation>
    </message>
    <message>
        <source>Kartu terangkat terlalu cepat. Tempelkan lagi.</source>
        <translation>Card lifted too soon. Tap again.</translation>
    </message>
    <message>
        <source>Ada dua kartu. Tempelkan satu saja.</source>
        <translation>Two cards found. Tap only one.</translation>
    </message>
    <message>
        <source>Masa berlaku kartu habis. Bawa ke Loket 1.</source>
        <translation>Card has expired. Take it to counter 1.</translation>
    </message>
    <message>
        <source>Kartu ini bukan KMC. Pakai kartu KMC Anda.</source>
        <translation>This is not a KMC card. Use your KMC card.</translation>
    </message>
    <message>
        <source>Kartu ini belum dikenal di sini. Tanyakan ke petugas.</source>
        <translation>This card is not known here yet. Ask the officer.</translation>
    </message>
    <message>
        <source>Kartu ini belum bisa dicek sekarang. Tanyakan ke petugas.</source>
        <translation>This card cannot be checked right now. Ask the officer.</translation>
    </message>
    <message>
        <source>Kartu perlu dicek. Bawa ke Loket 1.</source>
        <translation>Card needs a check. Take it to counter 1.</translation>
    </message>
    <message>
        <source>Kiosk belum bisa dipakai. Silakan ke Loket 1.</source>
        <translation>This kiosk cannot be used now. Go to counter 1.</translation>
    </message>
    <message>
        <source>baru saja</source>
        <translation>just now</translation>
    </message>
    <message>
        <source>%1 menit lalu</source>
        <translation>%1 minutes ago</translation>
    </message>
    <message>
        <source>%1 jam lalu</source>
        <translation>%1 hours ago</translation>
    </message>
    <message>
        <source>%1 hari lalu</source>
        <translation>%1 days ago</translation>
    </message>
    <message>
        <source>Tersambung.</source>
        <translation>Online.</translation>
    </message>
    <message>
        <source>Tidak tersambung.</source>
        <translation>Offline.</translation>
    </message>
    <message>
        <source>Belum ada data.</source>
        <translation>No data yet.</translation>
    </message>
    <message>
        <source>Data terakhir: %1 (%2).</source>
        <translation>Data from %1 (%2).</translation>
    </message>
    <message>
        <source>Semua catatan terkirim.</source>
        <translation>All records sent.</translation>
    </message>
    <message>
        <source>%1 catatan menunggu.</source>
        <translation>%1 records waiting.</translation>
    </message>
    <message>
        <source>Alat pembaca ditolak sistem. Panggil teknisi.</source>
        <translation>The system denies the reader. Call a technician.</translation>
    </message>
    <message>
        <source>Alat pembaca macet. Sedang dinyalakan ulang.</source>
        <translation>Reader stuck. It is being restarted.</translation>
    </message>
    <message>
        <source>Kamera terputus. Periksa kabelnya.</source>
        <translation>Camera disconnected. Check its cable.</translation>
    </message>
    <message>
        <source>Alat lain masih bekerja.</source>
        <translation>Another reader still works.</translation>
    </message>
    <message>
        <source>Pakai kartu.</source>
        <translation>Use the card.</translation>
    </message>
    <message>
        <source>Pakai kode QR.</source>
        <translation>Use the QR code.</translation>
    </message>
    <message>
        <source>Alat pembaca terputus. Periksa kabelnya.</source>
        <translation>Reader disconnected. Check its cable.</translation>
    </message>
    <message>
        <source>Gambar kamera gelap. Periksa tutup lensa dan lampu.</source>
        <translation>The camera&apos;s picture is dark. Check lens cap and light.</translation>
    </message>
    <message>
        <source>Gambar kamera tidak bisa dipakai. Panggil teknisi.</source>
        <translation>The camera&apos;s pictures cannot be used. Call a technician.</translation>
    </message>
    <message>
        <source>Gambar kamera terlalu besar. Panggil teknisi.</source>
        <translation>The camera&apos;s pictures are too large. Call a technician.</translation>
    </message>
    <message>
        <source>Dekatkan kode sedikit.</source>
        <translation>Hold the code a little closer.</translation>
    </message>
    <message>
        <source>Jauhkan kode sedikit.</source>
        <translation>Hold the code a little further away.</translation>
    </message>
    <message>
        <source>Tahan kode, jangan bergerak.</source>
        <translation>Hold the code still.</translation>
    </message>
    <message>
        <source>Bawa kode ke tempat terang.</source>
        <translation>Hold the code where it is bright.</translation>
    </message>
    <message>
        <source>Miringkan kode sedikit.</source>
        <translation>Tilt the code a little.</translation>
    </message>
    <message>
        <source>Kiosk dihentikan oleh pusat. Hubungi pusat.</source>
        <translation>This kiosk was stopped by central. Contact central.</translation>
    </message>
    <message>
        <source>Kiosk dicabut oleh pusat. Daftarkan lagi.</source>
        <translation>This kiosk was revoked by central. Enrol it again.</translation>
    </message>
    <message>
        <source>Kiosk sudah dipensiunkan. Daftarkan lagi sebelum dipakai.</source>
        <translation>This kiosk was retired. Enrol it again before use.</translation>
    </message>
    <message>
        <source>Data kiosk ini salinan lama. Panggil teknisi untuk mendaftarkan lagi.</source>
        <translation>This kiosk&apos;s data is an old copy. Call a technician to enrol it again.</translation>
    </message>
    <message>
        <source>Catatan kiosk pernah rusak. Panggil teknisi untuk mendaftarkan lagi.</source>
        <translation>This kiosk&apos;s records were damaged. Call a technician to enrol it again.</translation>
    </message>
    <message>
        <source>Kiosk dihentikan (%1). Panggil teknisi.</source>
        <translation>Kiosk stopped (%1). Call a technician.</translation>
    </message>
    <message>
        <source>kode QR</source>
        <translation>QR code</translation>
    </message>
    <message>
        <source>nomor diketik</source>
        <translation>typed number</translation>
    </message>
    <message>
        <source>kartu ditempel</source>
        <translation>card tapped</translation>
    </message>
    <message>
        <source>ibu</source>
        <translation>mother</translation>
    </message>
    <message>
        <source>ayah</source>
        <translation>father</translation>
    </message>
    <message>
        <source>nenek</source>
        <translation>grandmother</translation>
    </message>
    <message>
        <source>kakek</source>
        <translation>grandfather</translation>
    </message>
    <message>
        <source>kakek/nenek</source>
        <translation>grandparent</translation>
    </message>
    <message>
        <source>bibi</source>
        <translation>aunt</translation>
    </message>
    <message>
        <source>paman</source>
        <translation>uncle</translation>
    </message>
    <message>
        <source>saudara</source>
        <translation>sibling</translation>
    </message>
    <message>
        <source>wali</source>
        <translation>guardian</translation>
    </message>
    <message>
        <source>Wakil dengan surat kuasa</source>
        <translation>Representative with a letter</translation>
    </message>
    <message>
        <source>pemegang kartu</source>
        <translation>holder</translation>
    </message>
    <message>
        <source>Belum ada yang boleh mengambil. Wali belum terdaftar.</source>
        <translation>Nobody may collect yet. No guardian is registered.</translation>
    </message>
    <message>
        <source>Isi nama wakil.</source>
        <translation>Enter the representative&apos;s name.</translation>
    </message>
    <message>
        <source>Isi nomor surat kuasa.</source>
        <translation>Enter the number of the letter.</translation>
    </message>
    <message>
        <source>Jumlah belum pas. Isi paling banyak sisa haknya.</source>
        <translation>Check the quantity: at most what is left.</translation>
    </message>
    <message>
        <source>Isi alasan jumlahnya kurang.</source>
        <translation>Enter why it is less.</translation>
    </message>
    <message>
        <source>Periksa dulu: %1.</source>
        <translation>Check first: %1.</translation>
    </message>
    <message>
        <source>Isi dulu semua kolom.</source>
        <translation>Fill in everything first.</translation>
    </message>
    <message>
        <source>Masuk dulu, lalu tempelkan kartu lagi.</source>
        <translation>Sign in first, then tap the card again.</translation>
    </message>
    <message>
        <source>PIN belum cocok. Coba lagi dalam %1 detik.</source>
        <translation>The PIN does not match. Try again in %1 seconds.</translation>
    </message>
    <message>
        <source>PIN belum cocok. Coba lagi.</source>
        <translation>The PIN does not match. Try again.</translation>
    </message>
    <message>
        <source>Terlalu sering salah. Coba lagi dalam %1 detik.</source>
        <translation>Too many wrong tries. Try again in %1 seconds.</translation>
    </message>
    <message>
        <source>Nama pengguna tidak ada di titik layanan ini.</source>
        <translation>No such user name at this service point.</translation>
    </message>
    <message>
        <source>Tempelkan juga lencana Anda.</source>
        <translation>Tap your badge, too.</translation>
    </message>
    <message>
        <source>Kartu ini bukan lencana petugas itu.</source>
        <translation>This card is not that officer&apos;s badge.</translation>
    </message>
    <message>
        <source>Lencana terbaca. Ketik PIN.</source>
        <translation>Badge read. Type your PIN.</translation>
    </message>
    <message>
        <source>Kartu lama ini sudah milik seseorang.</source>
        <translation>This old card is somebody&apos;s already.</translation>
    </message>
    <message>
        <source>Pemegang ini belum terdaftar. Periksa data di Loket 1.</source>
        <translation>This holder is not registered yet. Check at Counter 1.</translation>
    </message>
    <message>
        <source>Masa tugas petugas ini sudah berakhir.</source>
        <translation>This officer&apos;s account has ended.</translation>
    </message>
    <message>
        <source>Sesi petugas sudah berakhir. Masuk lagi.</source>
        <translation>The officer&apos;s session has ended. Sign in again.</translation>
    </message>
    <message>
        <source>Data itu tidak disimpan di kiosk.</source>
        <translation>That is not kept at the kiosk.</translation>
    </message>
    <message>
        <source>Data petugas sudah lama. Sambungkan kiosk dulu.</source>
        <translation>Officer data is too old. Connect the kiosk first.</translation>
    </message>
    <message>
        <source>Sudah diambil. Tidak ada yang dicatat.</source>
        <translation>Already picked up. Nothing was recorded.</translation>
    </message>
    <message>
        <source>Hak ini tidak ada di kiosk ini. Cek lagi saat tersambung.</source>
        <translation>This right is not at this kiosk. Check again when online.</translation>
    </message>
    <message>
        <source>Jumlah lebih dari sisa hak.</source>
        <translation>More than what is left.</translation>
    </message>
    <message>
        <source>Orang ini tidak boleh mengambil program ini.</source>
        <translation>This person may not collect this program.</translation>
    </message>
    <message>
        <source>Dokumen belum lengkap.</source>
        <translation>Documents are not complete.</translation>
    </message>
    <message>
        <source>Kartu perlu ditempel, atau cocokkan foto dan KTP.</source>
        <translation>Tap the card, or match photo and KTP.</translation>
    </message>
    <message>
        <source>Kiosk ini dihentikan. Panggil teknisi.</source>
        <translation>This kiosk is stopped. Call a technician.</translation>
    </message>
    <message>
        <source>Hak ini ada di titik layanan lain.</source>
        <translation>This right lies at another service point.</translation>
    </message>
    <message>
        <source>Program ini sedang diblokir untuk pemegang.</source>
        <translation>This program is blocked for the holder.</translation>
    </message>
    <message>
        <source>Tanggal kiosk belum pasti. Penyelia harus memastikannya.</source>
        <translation>The kiosk is unsure of the date. A supervisor must confirm it.</translation>
    </message>
    <message>
        <source>Program ini belum bisa diserahkan sekarang.</source>
        <translation>This program cannot be handed over yet.</translation>
    </message>
    <message>
        <source>Program ini tidak bisa diserahkan sekarang.</source>
        <translation>This program cannot be handed over now.</translation>
    </message>
    <message>
        <source>Nomor yang diketik tidak boleh dipakai. Tempelkan kartu.</source>
        <translation>A typed number may not be used. Tap the card.</translation>
    </message>
    <message>
        <source>Belum ada catatan Anda hari ini.</source>
        <translation>You have no entry today yet.</translation>
    </message>
    <message>
        <source>Sudah lewat 10 menit. Penyelia harus masuk untuk membatalkan.</source>
        <translation>More than 10 minutes ago. A supervisor must sign in to void it.</translation>
    </message>
    <message>
        <source>Penyelia harus masuk untuk membatalkan.</source>
        <translation>A supervisor must sign in to void it.</translation>
    </message>
    <message>
        <source>Catatan ini sudah dibatalkan.</source>
        <translation>This entry is voided already.</translation>
    </message>
    <message>
        <source>Catatan ini bukan dari kiosk ini.</source>
        <translation>This entry is not of this kiosk.</translation>
    </message>
    <message>
        <source>Pembatalan tercatat.</source>
        <translation>The void is recorded.</translation>
    </message>
    <message>
        <source>Kartu dari titik layanan lain. Sedang dicek…</source>
        <translation>A card of another point. Checking…</translation>
    </message>
    <message>
        <source>Persediaan program ini habis di kiosk ini.</source>
        <translation>This kiosk has none left for this program.</translation>
    </message>
    <message>
        <source>Tulis tanggal seperti 2026-11-23.</source>
        <translation>Write the date like 2026-11-23.</translation>
    </message>
    <message>
        <source>Kiosk ini sudah mencatat tanggal yang lebih baru.</source>
        <translation>This kiosk has already recorded a later date.</translation>
    </message>
    <message>
        <source>Terlalu lama tanpa sambungan. Sambungkan kiosk dulu.</source>
        <translation>Too long without a connection. Connect the kiosk first.</translation>
    </message>
    <message>
        <source>Pusat menyebut tanggal lain. Periksa kalender.</source>
        <translation>Central names another date. Check the calendar.</translation>
    </message>
    <message>
        <source>Tanggal kiosk sudah pasti.</source>
        <translation>The kiosk is sure of the date.</translation>
    </message>
    <message>
        <source>Tanggal dipastikan dan tercatat.</source>
        <translation>The date is confirmed and recorded.</translation>
    </message>
    <message>
        <source>Isi alasannya.</source>
        <translation>Enter the reason.</translation>
    </message>
    <message>
        <source>Tidak tercatat karena gangguan program. Panggil teknisi.</source>
        <translation>Not recorded: the program failed. Call a technician.</translation>
    </message>
    <message>
        <source>Belum bisa dilakukan (%1).</source>
        <translation>Cannot be done yet (%1).</translation>
    </message>
    <message>
        <source>Chip kosong. Kartu harus ditulis di tempat penerbitan.</source>
        <translation>Empty chip. The card must be written where it was issued.</translation>
    </message>
    <message>
        <source>Bukan kartu KMC.</source>
        <translation>Not a KMC card.</translation>
    </message>
    <message>
        <source>Isi kartu tidak terbaca sebagai KMC. Ganti kartu di Loket 1.</source>
        <translation>The card&apos;s content is not KMC. Replace it at counter 1.</translation>
    </message>
    <message>
        <source>Penerbit kartu belum dikenal kiosk. Sambungkan kiosk, lalu coba lagi.</source>
        <translation>Issuer not known to the kiosk yet. Connect it, then try again.</translation>
    </message>
    <message>
        <source>Kunci penerbit kartu sudah dicabut. Ganti kartu di Loket 1.</source>
        <translation>The issuer&apos;s key was withdrawn. Replace the card at counter 1.</translation>
    </message>
    <message>
        <source>Tanda tangan kartu tidak cocok. Kartu mungkin palsu.</source>
        <translation>The card&apos;s signature does not match. It may be forged.</translation>
    </message>
    <message>
        <source>Masa berlaku kartu habis. Ganti kartu di Loket 1.</source>
        <translation>Card has expired. Replace it at counter 1.</translation>
    </message>
    <message>
        <source>Kartu belum berlaku. Periksa tanggal kiosk.</source>
        <translation>Card not in force yet. Check the kiosk&apos;s date.</translation>
    </message>
    <message>
        <source>Data kartu berasal dari media lain. Periksa kartunya.</source>
        <translation>The data comes from another medium. Look at the card.</translation>
    </message>
    <message>
        <source>Data disalin ke chip lain. Tahan kartu dan periksa KTP.</source>
        <translation>Copied to another chip. Keep the card and check the KTP.</translation>
    </message>
    <message>
        <source>Nomor chip berubah-ubah. Kartu ini tidak bisa dipakai.</source>
        <translation>The chip&apos;s number changes. This card cannot be used.</translation>
    </message>
    <message>
        <source>Pemeriksaan chip tidak berjalan. Tempelkan lagi.</source>
        <translation>The chip check did not run. Tap again.</translation>
    </message>
    <message>
        <source>Chip MIFARE Classic tidak aman untuk KMC. Ganti kartu di Loket 1.</source>
        <translation>A MIFARE Classic chip is not safe for KMC. Replace the card at counter 1.</translation>
    </message>
    <message>
        <source>Chip terlalu kecil untuk data KMC. Ganti kartu di Loket 1.</source>
        <translation>The chip is too small for KMC data. Replace the card at counter 1.</translation>
    </message>
    <message>
        <source>Chip ini bukan buatan asli NXP. Tahan kartu dan periksa KTP.</source>
        <translation>This chip was not made by NXP. Keep the card and check the KTP.</translation>
    </message>
    <message>
        <source>Chip gagal membuktikan dirinya. Tahan kartu dan periksa KTP.</source>
        <translation>The chip failed to prove itself. Keep the card and check the KTP.</translation>
    </message>
    <message>
        <source>Chip menolak perintah pembaca. Ganti kartu di Loket 1.</source>
        <translation>The chip refuses the reader&apos;s command. Replace the card at counter 1.</translation>
    </message>
    <message>
        <source>Bukti dari chip sudah pernah dipakai. Tahan kartu dan periksa KTP.</source>
        <translation>The chip&apos;s proof was used before. Keep the card and check the KTP.</translation>
    </message>
    <message>
        <source>Ini lencana petugas. Tempelkan kartu pemegang.</source>
        <translation>This is an officer&apos;s badge. Tap the holder&apos;s card.</translation>
    </message>
    <message>
        <source>Lencana harus ditempel di alat pembaca kartu, tidak lewat kamera.</source>
        <translation>A badge is tapped on the card reader, not shown to the camera.</translation>
    </message>
    <message>
        <source>Kartu lama. Pemegang sudah punya kartu baru.</source>
        <translation>Old card. The holder has a new one.</translation>
    </message>
    <message>
        <source>Tercatat sejak %1.</source>
        <translation>On record since %1.</translation>
    </message>
    <message>
        <source>Kartu dilaporkan hilang. Periksa KTP.</source>
        <translation>Card reported lost. Check the KTP.</translation>
    </message>
    <message>
        <source>Kartu dilaporkan dicuri. Tahan kartu dan periksa KTP.</source>
        <translation>Card reported stolen. Keep it and check the KTP.</translation>
    </message>
    <message>
        <source>Kartu sudah dicabut. Bawa ke Loket 1.</source>
        <translation>Card withdrawn. Take it to counter 1.</translation>
    </message>
    <message>
        <source>Pemegang tercatat meninggal. Periksa data di Loket 1.</source>
        <translation>Holder recorded as deceased. Check at counter 1.</translation>
    </message>
    <message>
        <source>Pemegang sedang diblokir. Periksa data di Loket 1.</source>
        <translation>Holder is blocked. Check at counter 1.</translation>
    </message>
    <message>
        <source>Pemegang kartu ini belum terdaftar. Periksa data di Loket 1.</source>
        <translation>The holder of this card is not registered. Check the data at counter 1.</translation>
    </message>
    <message>
        <source>Pemegang terdaftar di titik layanan lain. Sambungkan kiosk, lalu coba lagi.</source>
        <translation>The holder is registered at another point. Connect the kiosk, then try again.</translation>
    </message>
</context>
</TS>
