pragma Singleton
import QtQuick

// Codes become words here, in the language of the screen.
QtObject {
    id: words

    property string language: "id"
    property string today: ""
    readonly property bool english: language === "en"

    function pick(indonesian: string, inEnglish: string): string {
        return language === "en" ? inEnglish : indonesian;
    }

    function month(number: int): string {
        switch (number) {
        case 1:
            return qsTr("Januari");
        case 2:
            return qsTr("Februari");
        case 3:
            return qsTr("Maret");
        case 4:
            return qsTr("April");
        case 5:
            return qsTr("Mei");
        case 6:
            return qsTr("Juni");
        case 7:
            return qsTr("Juli");
        case 8:
            return qsTr("Agustus");
        case 9:
            return qsTr("September");
        case 10:
            return qsTr("Oktober");
        case 11:
            return qsTr("November");
        case 12:
            return qsTr("Desember");
        default:
            return "";
        }
    }

    // An ISO date as "3 Mei", with the year when it is not this one.
    function date(iso: string): string {
        if (iso.length < 10)
            return iso;
        const text = Number(iso.substring(8, 10)) + " " + month(Number(iso.substring(5, 7)));
        return iso.substring(0, 4) === today.substring(0, 4) ? text : text + " " + iso.substring(0, 4);
    }

    function isDate(iso: string): bool {
        return /^\d{4}-\d{2}-\d{2}$/.test(iso) && month(Number(iso.substring(5, 7))) !== "";
    }

    // An ISO date as "23 November 2026".
    function longDate(iso: string): string {
        return Number(iso.substring(8, 10)) + " " + month(Number(iso.substring(5, 7))) + " " + iso.substring(0, 4);
    }

    // The time of day of an ISO time: "08.10" in Indonesian, "08:10" in English.
    function timeOfDay(iso: string): string {
        const text = iso.substring(11, 16);
        return language === "en" ? text : text.replace(":", ".");
    }

    function moment(iso: string): string {
        return iso.substring(0, 10) === today ? timeOfDay(iso) : date(iso) + " " + timeOfDay(iso);
    }

    function documentName(code: string): string {
        switch (code) {
        case "photo_and_ktp":
            return qsTr("foto di kartu dan KTP cocok");
        case "akta":
            return qsTr("akta kelahiran");
        case "kartu_pelajar":
            return qsTr("kartu pelajar");
        case "surat_dokter":
            return qsTr("surat dokter");
        case "surat_kuasa":
            return qsTr("surat kuasa");
        case "buku_kia":
            return qsTr("buku KIA");
        default:
            return code.replace(/_/g, " ").toUpperCase();
        }
    }

    function documents(codes: list<string>): string {
        const names = codes.map(code => documentName(code));
        if (names.length < 2)
            return names.join("");
        const last = names.pop();
        return qsTr("%1 dan %2").arg(names.join(", ")).arg(last);
    }

    // What a program means for this holder now, as on the citizen's screen.
    // ``now`` has code, date, place, documents and counter, or nothing for a row in reserve.
    function state(now: var): string {
        switch (now.code) {
        case undefined:
            return "";
        case "ready":
            return now.counter === "" ? qsTr("Siap diambil") : qsTr("Siap diambil – %1").arg(loket(now.counter));
        case "taken":
            if (now.date === "")
                return qsTr("Sudah diambil");
            return now.place === "" ? qsTr("Sudah diambil %1").arg(date(now.date))
                                : qsTr("Sudah diambil %1 di %2").arg(date(now.date)).arg(now.place);
        case "not_yet":
            return qsTr("Bisa diambil mulai %1").arg(date(now.date));
        case "needs_document":
            return qsTr("Bawa %1").arg(documents(now.documents));
        case "held_elsewhere":
            return now.place === "" ? qsTr("Bisa diambil di tempat lain. Tanyakan ke petugas.")
                                : qsTr("Bisa diambil di %1").arg(now.place);
        case "checking":
            return qsTr("Sedang dicek…");
        case "needs_network":
            return qsTr("Belum bisa dicek sekarang. Tanyakan ke petugas.");
        case "ended":
            return qsTr("Sudah berakhir %1").arg(date(now.date));
        case "stock_gone":
            return qsTr("Persediaan habis di sini. Tanyakan ke petugas.");
        case "grade_too_low":
            return qsTr("Perlu dicek petugas. Bawa KTP.");
        case "date_in_doubt":
            return qsTr("Tanggal kiosk belum pasti. Panggil petugas.");
        default:
            return qsTr("Kartu tidak aktif. Bawa ke Loket 1.");
        }
    }

    function loket(label: string): string {
        return label.startsWith("Loket ") ? qsTr("Loket %1").arg(label.substring(6)) : label;
    }

    function capital(text: string): string {
        return text.substring(0, 1).toUpperCase() + text.substring(1);
    }

    // What a state looks like: good, wait, stop, cool or past.
    function kind(code: string): string {
        switch (code) {
        case "ready":
            return "good";
        case "needs_document":
        case "grade_too_low":
        case "needs_network":
        case "date_in_doubt":
        case "stock_gone":
            return "wait";
        case "held_elsewhere":
        case "checking":
        case "not_yet":
            return "cool";
        case "blocked":
            return "stop";
        default:
            return "past";
        }
    }

    function icon(code: string): string {
        switch (code) {
        case "ready":
            return "check";
        case "needs_document":
            return "document";
        case "grade_too_low":
            return "person";
        case "needs_network":
            return "network";
        case "date_in_doubt":
        case "not_yet":
            return "calendar";
        case "held_elsewhere":
            return "place";
        case "checking":
            return "hourglass";
        case "blocked":
            return "stop";
        case "taken":
            return "card";
        default:
            return "clock";
        }
    }

    // What a card fault says to the citizen.
    function cardFault(code: string): string {
        switch (code) {
        case "card_lifted":
        case "card_unreadable":
            return qsTr("Kartu terangkat terlalu cepat. Tempelkan lagi.");
        case "card_two":
            return qsTr("Ada dua kartu. Tempelkan satu saja.");
        case "card_expired":
            return qsTr("Masa berlaku kartu habis. Bawa ke Loket 1.");
        case "card_foreign":
        case "card_empty":
        case "card_wrong_issuer":
        case "card_unknown_key":
        case "card_bad_signature":
        case "card_bad_algorithm":
        case "card_malformed":
        case "card_oversized":
        case "card_classic":
        case "card_too_small":
            return qsTr("Kartu ini bukan KMC. Pakai kartu KMC Anda.");
        case "card_unknown_holder":
        case "card_is_badge":
        case "card_badge_copied":
            return qsTr("Kartu ini belum dikenal di sini. Tanyakan ke petugas.");
        case "card_from_elsewhere":
            return qsTr("Kartu ini belum bisa dicek sekarang. Tanyakan ke petugas.");
        case "card_wrong_medium":
        case "card_wrong_chip":
        case "card_random_uid":
        case "card_downgrade":
        case "card_not_yet_valid":
        case "card_key_compromised":
        case "card_not_original":
        case "card_proof_bad":
        case "card_replayed":
        case "card_refused":
            return qsTr("Kartu perlu dicek. Bawa ke Loket 1.");
        case "card_superseded":
        case "card_replaced":
        case "card_lost":
        case "card_stolen":
        case "card_revoked":
        case "card_deceased":
        case "card_blocked":
            return qsTr("Kartu tidak aktif. Bawa ke Loket 1.");
        case "kiosk":
            return qsTr("Kiosk belum bisa dipakai. Silakan ke Loket 1.");
        default:
            return qsTr("Kartu tidak aktif. Bawa ke Loket 1.");
        }
    }

    function cardFaultIcon(code: string): string {
        switch (code) {
        case "card_lifted":
        case "card_unreadable":
            return "reader";
        case "card_two":
            return "card";
        case "card_expired":
            return "calendar";
        case "card_unknown_holder":
            return "person";
        case "card_from_elsewhere":
            return "network";
        case "kiosk":
            return "stop";
        default:
            return "attention";
        }
    }

    // Keeps the last two words together, so that no line holds one word alone.
    function bound(text: string): string {
        const at = text.lastIndexOf(" ");
        return at < 0 ? text : text.substring(0, at) + "\u00a0" + text.substring(at + 1);
    }

    // Keeps all the words on one line; for where they are known to fit.
    function unbroken(text: string): string {
        return text.replace(/ /g, "\u00a0");
    }

    function firstSentence(text: string): string {
        const end = text.search(/[.?…] /);
        return end < 0 ? text : text.substring(0, end + 1);
    }

    function otherSentences(text: string): string {
        const end = text.search(/[.?…] /);
        return end < 0 ? "" : text.substring(end + 2);
    }

    function age(minutes: int): string {
        if (minutes < 1)
            return qsTr("baru saja");
        if (minutes < 60)
            return qsTr("%1 menit lalu").arg(minutes);
        if (minutes < 48 * 60)
            return qsTr("%1 jam lalu").arg(Math.floor(minutes / 60));
        return qsTr("%1 hari lalu").arg(Math.floor(minutes / 1440));
    }

    // Connection, age of the data and records waiting, always in words.
    function connection(online: bool, dataAt: string, minutes: int, waiting: int): string {
        const link = online ? qsTr("Tersambung.") : qsTr("Tidak tersambung.");
        const data = dataAt === "" ? qsTr("Belum ada data.")
                                   : qsTr("Data terakhir: %1 (%2).").arg(moment(dataAt)).arg(age(minutes));
        const queue = waiting === 0 ? qsTr("Semua catatan terkirim.") : qsTr("%1 catatan menunggu.").arg(waiting);
        return link + " " + data + " " + queue;
    }

    function readerFault(code: string): string {
        switch (code) {
        case "":
            return "";
        case "reader_denied":
            return qsTr("Alat pembaca ditolak sistem. Panggil teknisi.");
        case "reader_hung":
        case "reader_crashed":
            return qsTr("Alat pembaca macet. Sedang dinyalakan ulang.");
        case "camera_missing":
        case "camera_gone":
        case "camera_stalled":
        case "camera_frozen":
            return qsTr("Kamera terputus. Periksa kabelnya.");
        case "camera_black":
            return qsTr("Gambar kamera gelap. Periksa tutup lensa dan lampu.");
        case "camera_format":
            return qsTr("Gambar kamera tidak bisa dipakai. Panggil teknisi.");
        case "camera_oversized":
            return qsTr("Gambar kamera terlalu besar. Panggil teknisi.");
        default:
            return qsTr("Alat pembaca terputus. Periksa kabelnya.");
        }
    }

    // What helps when a code is seen and cannot be read.
    function hint(code: string): string {
        switch (code) {
        case "closer":
            return qsTr("Dekatkan kode sedikit.");
        case "farther":
            return qsTr("Jauhkan kode sedikit.");
        case "blurred":
            return qsTr("Tahan kode, jangan bergerak.");
        case "dark":
            return qsTr("Bawa kode ke tempat terang.");
        case "glare":
            return qsTr("Miringkan kode sedikit.");
        default:
            return "";
        }
    }

    // Which way still works when a reader does not.
    function otherWay(fault: string, tapReady: bool, qrReady: bool): string {
        if (fault === "" || (!tapReady && !qrReady))
            return "";
        if (tapReady && qrReady)
            return qsTr("Alat lain masih bekerja.");
        return tapReady ? qsTr("Pakai kartu.") : qsTr("Pakai kode QR.");
    }

    // Why this kiosk hands out nothing, and what to do about it.
    function frozen(code: string): string {
        switch (code) {
        case "":
            return "";
        case "kiosk_frozen":
        case "kiosk_stopped":
            return qsTr("Kiosk dihentikan oleh pusat. Hubungi pusat.");
        case "kiosk_revoked":
            return qsTr("Kiosk dicabut oleh pusat. Daftarkan lagi.");
        case "retired":
            return qsTr("Kiosk sudah dipensiunkan. Daftarkan lagi sebelum dipakai.");
        case "ledger_rolled_back":
        case "journal_fork":
        case "device_key_rolled":
        case "stale_generation":
            return qsTr("Data kiosk ini salinan lama. Panggil teknisi untuk mendaftarkan lagi.");
        case "ledger_salvaged":
            return qsTr("Catatan kiosk pernah rusak. Panggil teknisi untuk mendaftarkan lagi.");
        default:
            return qsTr("Kiosk dihentikan (%1). Panggil teknisi.").arg(code);
        }
    }

    function medium(code: string): string {
        switch (code) {
        case "qr":
            return qsTr("kode QR");
        case "typed":
            return qsTr("nomor diketik");
        default:
            return qsTr("kartu ditempel");
        }
    }

    function relation(code: string): string {
        switch (code) {
        case "mother":
            return qsTr("ibu");
        case "father":
            return qsTr("ayah");
        case "grandmother":
            return qsTr("nenek");
        case "grandfather":
            return qsTr("kakek");
        case "grandparent":
            return qsTr("kakek/nenek");
        case "aunt":
            return qsTr("bibi");
        case "uncle":
            return qsTr("paman");
        case "sister":
        case "brother":
        case "sibling":
            return qsTr("saudara");
        default:
            return qsTr("wali");
        }
    }

    function collectorKind(kind: string, relationCode: string): string {
        switch (kind) {
        case "guardian":
            return relation(relationCode);
        case "representative":
            return qsTr("Wakil dengan surat kuasa");
        default:
            return qsTr("pemegang kartu");
        }
    }

    function missing(code: string): string {
        switch (code) {
        case "":
            return "";
        case "collector":
            return qsTr("Belum ada yang boleh mengambil. Wali belum terdaftar.");
        case "name":
            return qsTr("Isi nama wakil.");
        case "letter":
            return qsTr("Isi nomor surat kuasa.");
        case "quantity":
            return qsTr("Jumlah belum pas. Isi paling banyak sisa haknya.");
        case "reason":
            return qsTr("Isi alasan jumlahnya kurang.");
        default:
            return qsTr("Periksa dulu: %1.").arg(documentName(code));
        }
    }

    // What was refused, as said to the officer.
    function message(code: string, number: int): string {
        switch (code) {
        case "":
        case "missing":
            return "";
        case "fill_in":
            return qsTr("Isi dulu semua kolom.");
        case "sign_in_first":
            return qsTr("Masuk dulu, lalu tempelkan kartu lagi.");
        case "wrong_pin":
            return number > 0 ? qsTr("PIN belum cocok. Coba lagi dalam %1 detik.").arg(number)
                              : qsTr("PIN belum cocok. Coba lagi.");
        case "locked_out":
            return qsTr("Terlalu sering salah. Coba lagi dalam %1 detik.").arg(number);
        case "unknown_officer":
            return qsTr("Nama pengguna tidak ada di titik layanan ini.");
        case "badge_needed":
            return qsTr("Tempelkan juga lencana Anda.");
        case "wrong_badge":
        case "not_a_badge":
            return qsTr("Kartu ini bukan lencana petugas itu.");
        case "badge_read":
            return qsTr("Lencana terbaca. Ketik PIN.");
        case "adopted_already":
            return qsTr("Kartu lama ini sudah milik seseorang.");
        case "holder_not_active":
            return qsTr("Pemegang sedang diblokir. Periksa data di Loket 1.");
        case "unknown_holder":
            return qsTr("Pemegang ini belum terdaftar. Periksa data di Loket 1.");
        case "officer_ended":
            return qsTr("Masa tugas petugas ini sudah berakhir.");
        case "not_signed_in":
            return qsTr("Sesi petugas sudah berakhir. Masuk lagi.");
        case "not_kept_here":
            return qsTr("Data itu tidak disimpan di kiosk.");
        case "officer_stale":
            return qsTr("Data petugas sudah lama. Sambungkan kiosk dulu.");
        case "already_taken":
            return qsTr("Sudah diambil. Tidak ada yang dicatat.");
        case "right_not_held":
            return qsTr("Hak ini tidak ada di kiosk ini. Cek lagi saat tersambung.");
        case "quantity":
            return qsTr("Jumlah lebih dari sisa hak.");
        case "collector":
            return qsTr("Orang ini tidak boleh mengambil program ini.");
        case "documents":
            return qsTr("Dokumen belum lengkap.");
        case "grade_too_low":
            return qsTr("Kartu perlu ditempel, atau cocokkan foto dan KTP.");
        case "frozen":
            return qsTr("Kiosk ini dihentikan. Panggil teknisi.");
        case "held_elsewhere":
            return qsTr("Hak ini ada di titik layanan lain.");
        case "blocked":
            return qsTr("Program ini sedang diblokir untuk pemegang.");
        case "date_in_doubt":
            return qsTr("Tanggal kiosk belum pasti. Penyelia harus memastikannya.");
        case "right_closed":
        case "ended":
        case "not_yet":
        case "unknown_program":
        case "not_ready":
            return qsTr("Program ini belum bisa diserahkan sekarang.");
        case "not_now":
            return qsTr("Program ini tidak bisa diserahkan sekarang.");
        case "typed_not_allowed":
            return qsTr("Nomor yang diketik tidak boleh dipakai. Tempelkan kartu.");
        case "nothing_to_void":
            return qsTr("Belum ada catatan Anda hari ini.");
        case "void_too_late":
            return qsTr("Sudah lewat 10 menit. Penyelia harus masuk untuk membatalkan.");
        case "supervisor_needed":
            return qsTr("Penyelia harus masuk untuk membatalkan.");
        case "already_voided":
            return qsTr("Catatan ini sudah dibatalkan.");
        case "unknown_ref":
        case "not_ours":
            return qsTr("Catatan ini bukan dari kiosk ini.");
        case "voided":
            return qsTr("Pembatalan tercatat.");
        case "asking":
            return qsTr("Kartu dari titik layanan lain. Sedang dicek…");
        case "no_stock":
            return qsTr("Persediaan program ini habis di kiosk ini.");
        case "date_malformed":
            return qsTr("Tulis tanggal seperti 2026-11-23.");
        case "date_backwards":
            return qsTr("Kiosk ini sudah mencatat tanggal yang lebih baru.");
        case "date_too_far":
            return qsTr("Terlalu lama tanpa sambungan. Sambungkan kiosk dulu.");
        case "date_not_central":
            return qsTr("Pusat menyebut tanggal lain. Periksa kalender.");
        case "date_not_in_doubt":
            return qsTr("Tanggal kiosk sudah pasti.");
        case "date_confirmed":
            return qsTr("Tanggal dipastikan dan tercatat.");
        case "reason":
        case "reason_missing":
            return qsTr("Isi alasannya.");
        case "program_fault":
        case "counter_missing":
            return qsTr("Tidak tercatat karena gangguan program. Panggil teknisi.");
        default:
            return code.startsWith("card_") ? officerCardFault(code) + sinceDay(number)
                                            : qsTr("Belum bisa dilakukan (%1).").arg(code);
        }
    }

    // Since when the deny list has a card; the day comes as 20261123, 0 without one.
    function sinceDay(day: int): string {
        if (day <= 0)
            return "";
        const text = String(day);
        return " " + qsTr("Tercatat sejak %1.").arg(
            date(text.substring(0, 4) + "-" + text.substring(4, 6) + "-" + text.substring(6, 8)));
    }

    // The same card fault with what the officer needs to know.
    function officerCardFault(code: string): string {
        switch (code) {
        case "card_lifted":
        case "card_unreadable":
            return qsTr("Kartu terangkat terlalu cepat. Tempelkan lagi.");
        case "card_two":
            return qsTr("Ada dua kartu. Tempelkan satu saja.");
        case "card_empty":
            return qsTr("Chip kosong. Kartu harus ditulis di tempat penerbitan.");
        case "card_foreign":
        case "card_wrong_issuer":
            return qsTr("Bukan kartu KMC.");
        case "card_oversized":
        case "card_malformed":
        case "card_bad_algorithm":
            return qsTr("Isi kartu tidak terbaca sebagai KMC. Ganti kartu di Loket 1.");
        case "card_unknown_key":
            return qsTr("Penerbit kartu belum dikenal kiosk. Sambungkan kiosk, lalu coba lagi.");
        case "card_key_compromised":
            return qsTr("Kunci penerbit kartu sudah dicabut. Ganti kartu di Loket 1.");
        case "card_bad_signature":
            return qsTr("Tanda tangan kartu tidak cocok. Kartu mungkin palsu.");
        case "card_expired":
            return qsTr("Masa berlaku kartu habis. Ganti kartu di Loket 1.");
        case "card_not_yet_valid":
            return qsTr("Kartu belum berlaku. Periksa tanggal kiosk.");
        case "card_wrong_medium":
            return qsTr("Data kartu berasal dari media lain. Periksa kartunya.");
        case "card_wrong_chip":
            return qsTr("Data disalin ke chip lain. Tahan kartu dan periksa KTP.");
        case "card_random_uid":
            return qsTr("Nomor chip berubah-ubah. Kartu ini tidak bisa dipakai.");
        case "card_downgrade":
            return qsTr("Pemeriksaan chip tidak berjalan. Tempelkan lagi.");
        case "card_classic":
            return qsTr("Chip MIFARE Classic tidak aman untuk KMC. Ganti kartu di Loket 1.");
        case "card_too_small":
            return qsTr("Chip terlalu kecil untuk data KMC. Ganti kartu di Loket 1.");
        case "card_not_original":
            return qsTr("Chip ini bukan buatan asli NXP. Tahan kartu dan periksa KTP.");
        case "card_proof_bad":
            return qsTr("Chip gagal membuktikan dirinya. Tahan kartu dan periksa KTP.");
        case "card_refused":
            return qsTr("Chip menolak perintah pembaca. Ganti kartu di Loket 1.");
        case "card_replayed":
            return qsTr("Bukti dari chip sudah pernah dipakai. Tahan kartu dan periksa KTP.");
        case "card_is_badge":
            return qsTr("Ini lencana petugas. Tempelkan kartu pemegang.");
        case "card_badge_copied":
            return qsTr("Lencana harus ditempel di alat pembaca kartu, tidak lewat kamera.");
        case "card_superseded":
        case "card_replaced":
            return qsTr("Kartu lama. Pemegang sudah punya kartu baru.");
        case "card_lost":
            return qsTr("Kartu dilaporkan hilang. Periksa KTP.");
        case "card_stolen":
            return qsTr("Kartu dilaporkan dicuri. Tahan kartu dan periksa KTP.");
        case "card_revoked":
            return qsTr("Kartu sudah dicabut. Bawa ke Loket 1.");
        case "card_deceased":
            return qsTr("Pemegang tercatat meninggal. Periksa data di Loket 1.");
        case "card_blocked":
            return qsTr("Pemegang sedang diblokir. Periksa data di Loket 1.");
        case "card_unknown_holder":
            return qsTr("Pemegang kartu ini belum terdaftar. Periksa data di Loket 1.");
        case "card_from_elsewhere":
            return qsTr("Pemegang terdaftar di titik layanan lain. Sambungkan kiosk, lalu coba lagi.");
        default:
            return qsTr("Kartu tidak aktif. Bawa ke Loket 1.");
        }
    }
}
